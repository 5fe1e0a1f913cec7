/* src/app/app.h: apps and their instances: the heart. daemon > world > apps > instances > child, outlets: a
 * tree of owners. What others hold is an id, looked up again after any callback.
 *
 * An instance's life is the table in life.h; instance_feed() is the only way to move it, instance_enter()
 * the only writer of `life`. Everything that must survive us goes into the ledger, descriptors to the keeper
 * (entry.h), at the moment it changes. */
#pragma once
#include <uv.h>

#include "app/environ.h"
#include "app/life.h"
#include "app/policy.h"
#include "base/list.h"
#include "base/map.h"
#include "channel/channel.h"
#include "conf/settings.h"
#include "logs/pump.h"
#include "metrics/usage.h"
#include "store/keeper_link.h"
#include "store/ledger.h"

enum cause { /* why a life ended, or why a state was entered */
             CAUSE_NONE,
             CAUSE_MANUAL,
             CAUSE_EXIT,    /* by itself, with a code */
             CAUSE_SIGNAL,  /* by a signal that was not ours */
             CAUSE_UNKNOWN, /* it ended while nobody could look */
             CAUSE_SPAWN,   /* could not be executed */
             CAUSE_NOT_READY,
             CAUSE_MEMORY,
             CAUSE_WATCH,
             CAUSE_CRON,
             CAUSE_UNKILLABLE,
             CAUSE_N
};
const char *cause_name(enum cause c);
enum cause cause_find(const char *name); /* CAUSE_UNKNOWN for a name of another version */

struct exit_status {
    bool known; /* false: somebody else reaped it */
    bool core;
    uint8_t code; /* exit code, when signal is 0 */
    uint8_t signal;
};

struct exit_status exit_status_of(int wait_status);

struct past_life {
    int64_t started, ended; /* wall ms */
    int64_t uptime;         /* ms, monotonic */
    struct exit_status exit;
    enum cause cause : 8;
};
enum { LIVES_KEPT = 20 };

enum { OUTLET_OUT, OUTLET_ERR, OUTLET_N };
struct outlet;
struct pidwatch;
struct clearing;
struct app;
struct world;

#define UID_UNKNOWN ((uid_t)-1)

/* There is one for each process of 500 apps: fields stand as they fit together. */
struct instance {
    struct app *app;
    int64_t id;
    int index; /* 0 ... n-1 within the app */

    pid_t pid; /* main process, or 0 */
    uint64_t start;
    pid_t last_pid; /* of the child before, or of this one */
    uid_t uid;      /* the user its last child was started as; UID_UNKNOWN */

    enum life life : 8; /* enter() alone writes it */
    enum cause cause : 8;
    bool closing;        /* delete: goes once its outlets are drained */
    bool adopted;        /* not our child: exits come from the keeper or the pidfd */
    bool signalled;      /* the stop signal of this STOPPING was sent */
    bool tell_leftovers; /* the next sweep sends the stop signal to what has not had it */
    bool group_told;     /* ... which the process group of the main process has */
    bool message_sent;   /* in place of the signal, to the main process alone */
    bool scattered;      /* it has processes outside its group, or some that may not be signalled */
    bool forced;         /* ... and SIGKILL */
    bool dirty;          /* the last run may have left processes: none is started beside them (sweep.c) */
    bool keeper_reaps;   /* its parent is the keeper, who tells the status */
    bool commanded;      /* the spawn to come is a person's wish */
    bool has_exited;
    bool unexecuted; /* whether its program was executed is not known yet; or it never was, in the last run */
    bool end_untold; /* the child ended while stopping; the event that says so comes with the next state */
    struct exit_status last_exit;

    int unsure_looks; /* sweeps that found nothing */
    int fails;        /* lives that ended unasked since the last command */
    int over_limit;   /* samples in a row above max_memory_restart */
    int64_t forced_at;

    char *reason;            /* why it is errored or waiting, for people; or NULL */
    struct err *spawn_error; /* of the last try, for who asked for it; or NULL */
    char *status_text;       /* STATUS= of sd_notify; or NULL */

    struct pidwatch *watch;    /* of an adopted main process; or NULL */
    struct pidwatch *leftover; /* what the sweep waits for; or NULL */
    struct clearing *clearing; /* of what the last run left, while no stop does that; or NULL */
    pid_t forbidden;           /* STUCK, since we may not signal this process; or 0 */
    struct pidwatch *report;   /* of a child that is another user's by now: whether exec succeeds; or NULL */
    uv_timer_t *timer;         /* most have none most of the time: NULL */
    int64_t deadline;          /* mono ms; 0: the timer is off */

    struct outlet *outlets[OUTLET_N];
    int64_t dropped[OUTLET_N];    /* bytes of its output that no file could take */
    int input[2];                 /* its stdin: read end, write end (non-blocking); -1: not made yet */
    struct channel *channel;      /* Node's, or NULL */
    struct door *door;            /* with wait_ready: its own socket of sd_notify; or NULL */
    int kept_pidfd, kept_channel; /* read from an entry, until the adoption takes them; or -1 */
    int slot;                     /* in the ledger; -1: not there yet */
    unsigned kept_fds;            /* bits of enum entry_fds: the keeper has them */

    int64_t started_wall, started_mono; /* of the living or last child; 0: none yet */
    struct policy_memory memory;
    const char *token; /* shared; of the request it obeyed last: a repeated one is not obeyed twice */
    int64_t restarts;
    uint32_t counters[CAUSE_N]; /* of restarts */
    uint32_t n_lives;           /* in the ring, and then on to twice of what it holds */
    struct past_life *lives;    /* newest at (n_lives - 1) % LIVES_KEPT */
    int64_t seq;                /* of its last event */
    const char *interpreter;    /* shared; as resolved at the last spawn; NULL before */
    const char *exec;           /* shared; the file that was executed then */

    struct usage usage;
    json_t *unknown; /* members of its text that a later version wrote, handed on; or NULL */

    struct link spawn_due, sweep_due; /* in world.births or world.spawns; in world.sweeps */
};

/* What an app is called; shared with the events that outlive it. */
struct label {
    int refs;
    const char *name, *ns;
    char text[];
};

struct app {
    struct link link; /* in world.apps */
    struct label *label;
    struct world *world;
    struct app_spec *spec;
    struct environ_blob *base; /* or NULL */
    long nofile;               /* soft limit of descriptors; 0: the daemon's own caller's */
    const char *limits;        /* shared; of the caller (conf/limits.h); or NULL */
    int64_t created;           /* wall ms */
    const char *token;         /* shared; of the request that made it; or NULL */
    struct instance **instances;
    size_t n;
    unsigned umask;
    int slot;                    /* in the ledger; -1: not there yet */
    bool is_new;                 /* its first start is not over yet: a failure leaves nothing behind */
    bool removing;               /* goes with its last instance */
    struct link requests;        /* the daemon's queue for this app (daemon/op.h) */
    struct link touched;         /* in world.touched */
    struct timetable *timetable; /* cron_restart; or NULL */
    struct watching *watching;   /* watch; or NULL */
    json_t *unknown;             /* as instance.unknown */
};

/* What just happened to an instance, for events and whoever waits. */
struct change {
    struct instance *in;
    enum life from;
    enum cause cause;
    const struct past_life *ended; /* the life that ended with it, or NULL */
    bool deleted;
};

/* For census.h: who was nobody's at the last pass. */
struct strangers {
    pid_t *pids; /* ascending */
    size_t n;
    unsigned turn;
};

/* A socket of sd_notify, kept as an entry: shared by all apps, or of one instance. Apps of another user
 * cannot get into the home: theirs has no path. */
enum { DOOR_HOME, DOOR_USERS, DOOR_N };
struct door {
    int fd; /* -1: no app has needed it yet */
    bool failed;
    uv_poll_t poll;
    char *address;
    struct instance *in; /* NULL: it is shared */
};

struct strays { /* strays.h */
    struct map by_pid;
};

struct world {
    uv_loop_t *loop;
    const char *home;
    char nonce[17]; /* the marks of this home's instances start with it */
    struct keeper_link *keeper;
    struct ledger *ledger;
    int ledger_fd, slot; /* kept as an entry; of the text "daemon" in it */
    pid_t keeper_pid;
    pid_t shared_keeper; /* the keeper's pid if it has children that no app started, from before it was one */
    bool unread;         /* there are apps in the ledger that we do not know */
    struct pump *pump;
    int transit[TRANSIT_FDS]; /* of the pump, kept as an entry; -1: none */
    bool transit_tried;
    long app_nofile; /* soft limit apps get back */
    struct settings *settings;
    int settings_slot, boot_slot; /* in the ledger, or -1; of the settings as they came; there until the saved
                                     apps are started */
    struct door doors[DOOR_N];

    struct link apps;
    size_t n_apps, n_instances;
    struct map by_id, by_pid; /* id + 1, pid -> instance */
    struct map *abandoned;    /* stream -> outlet; NULL: there was none */
    struct link environs;
    int64_t next_id;

    struct link births;         /* spawns whose pipes are open */
    bool spawning;              /* until there is none to do */
    bool logs_stuck;            /* and that was said */
    struct link spawns, sweeps; /* instances with deferred work */
    struct link touched;        /* apps whose queue is to be looked at */
    uv_check_t worker;          /* deferred work, after the round's descriptors and children */
    uv_idle_t awake;            /* active while something is due: the next poll does not wait */
    int sigchild;
    uv_poll_t child;
    uv_timer_t sample; /* metrics, while anything runs */
    uv_timer_t again;  /* world_sweep_later() */
    struct strangers strangers;
    struct strays strays;
    struct timekeeper *timekeeper; /* of all timetables, or NULL */

    int64_t seq;       /* of the last event */
    int64_t started;   /* wall ms: the first velosd of this keeper */
    int64_t adoptions; /* how often another one took over */
    char *update;      /* the token of the last update that was begun; or NULL */
    json_t *unknown;   /* as instance.unknown */

    void (*changed)(void *arg, const struct change *c); /* an event; nothing may be fed from here */
    void (*advance)(void *arg, struct app *a);          /* something of this app changed; anything goes */
    void (*log_done)(void *arg, const struct pump_news *news); /* a flush or reopen */
    void *arg;
};

/* world.c */
must_check int world_init(struct world *w, uv_loop_t *loop, const char *home, struct err *e);
void world_run(struct world *w); /* starts reaping and deferred work */
void world_done(struct world *w);
struct app *world_find(const struct world *w, const char *name);
struct instance *world_instance(const struct world *w, int64_t id);
void world_defer_spawn(struct instance *in);
void world_wake(struct world *w); /* the deferred work that had to wait may go on */
void world_defer_sweep(struct instance *in);
void world_sweep_later(struct world *w); /* all that need one, in a while: /proc could not be read */
void world_touch(struct app *a);
void world_meet_keeper(struct world *w);
void world_put(struct world *w);  /* what belongs to no app, into the ledger */
void world_work(struct world *w); /* does what is due, a bounded time long */
void world_reap(struct world *w);

/* sample.c: starts the metrics timer unless it runs. */
enum { SAMPLE_FIRST_MS = 250 };
void world_sample(struct world *w);

/* ready.c: the sockets of sd_notify. */
void world_resume_notify(struct world *w);   /* what the daemon before us had open is heard again */
void world_need_notify(struct instance *in); /* before a child that may use it */
const char *world_notify_address(const struct instance *in); /* NULL: there is none */
void world_done_notify(struct world *w);
void instance_adopt_notify(struct instance *in, int take_fd); /* the one of its own */
void instance_free_notify(struct instance *in);               /* its name on disk stays */
void instance_forget_notify(struct instance *in);             /* ... goes, too */

/* app.c. app_new takes spec; env is the caller's environment (strv) or NULL. The app's instances are made
 * (STOPPED); every piece is put to the keeper. */
struct app_origin { /* of the caller who starts an app */
    char *const *env;
    unsigned umask;
    long nofile;
    const char *limits; /* as limits_take() gave it; or NULL */
    const char *token;
};
struct app *app_new(struct world *w, struct app_spec *take_spec, const struct app_origin *o);
/* Without instances, and not put yet: for who knows which ones it had (saved.c). */
struct app *app_new_bare(struct world *w, struct app_spec *take_spec, const struct app_origin *o);
void app_set_spec(struct app *a, struct app_spec *take_spec,
                  char *const *env); /* new settings, for the next start;
     instances above the new number are the caller's to stop and close */
/* Would a start succeed, with these settings and this environment (NULL: its own)? Nothing is changed. */
must_check int app_try(struct app *a, struct app_spec *spec, char *const *env, struct err *e);
/* More or fewer instances; those that go must be stopped first (the highest index first). New ones are
 * STOPPED. */
void app_grow(struct app *a, int wanted);
void app_set_instances(struct app *a, int64_t n,
                       const char *token); /* notes the number in the settings, and whose wish it was */
void app_set_environ(struct app *a, char *const *env);
void app_free(struct app *a); /* no instance may be alive */
int app_instances_wanted(const struct app_spec *spec);
struct label *label_of(const struct app_spec *spec); /* one reference, the caller's */
struct label *label_ref(struct label *l);
void label_unref(struct label *l);
void app_forget(struct app *a);          /* the last instance is gone: out of the keeper, freed */
enum life app_life(const struct app *a); /* the state that says most: errored > ... > online */

/* instance.c */
struct instance *instance_new(struct app *a, int index, int64_t id);
void instance_free(struct instance *in);
bool instance_feed(struct instance *in, enum life_event ev, enum cause cause); /* false: nothing to do */
/* A person's command; token may be NULL. A repeated request (`retry`) that was obeyed already does nothing.
 */
void instance_command(struct instance *in, enum life_event ev, const char *token, bool retry);
void instance_exited(struct instance *in, const struct exit_status *x); /* the main process is gone */
void instance_spawned(struct instance *in);
void instance_await_exec(struct instance *in, int take_report); /* it has a child; -1: an adopted one */
bool instance_executed(const struct instance *in);              /* it has a child, which runs its program */
void instance_spawn_failed(struct instance *in, const struct err *e);
void instance_gone(struct instance *in);  /* the sweep found nothing left */
void instance_stuck(struct instance *in); /* ... something is, and SIGKILL does nothing to it */
void instance_forbidden(struct instance *in, pid_t pid); /* ... nothing but what we may not signal */
void instance_describe_end(const struct instance *in,
                           struct err *e); /* how its last life ended; returns filled */
void instance_reset(struct instance *in);  /* counters to zero, the row of unstable exits forgotten */
void instance_close(struct instance *in);  /* after STOPPED or ERRORED: drains the logs, then goes */
void instance_put(struct instance *in);
/* New, and as it was saved: WAITING is due now; the caller puts it. */
void instance_restore(struct instance *in, enum life life, enum cause cause);
void instance_resume(struct instance *in); /* goes on where the daemon before us was */
void instance_set_reason(struct instance *in, const char *fmt, ...) printf_like(2, 3);
int64_t instance_uptime(const struct instance *in);                                  /* ms; -1: no child */
void instance_mark(const struct instance *in, char out[64]);                         /* VELOS_INSTANCE */
uint64_t instance_tag(const struct instance *in);                                    /* os/proctag.h */
char *instance_log_path(const struct instance *in, int outlet);                      /* the caller frees */
const struct past_life *instance_life_ended(const struct instance *in, size_t back); /* 0: the last; NULL */

/* launch.c: the spawns of `n` instances that are on their way to a child, at most OS_BIRTHS of them. Each has
 * one when it returns, or has failed and been told so, or waits for its pipes or the keeper and comes again.
 */
void launch(struct instance *const *ins, size_t n);
/* Of a child that was not waited for: tells the instance that exec has succeeded or failed, if that is known.
 */
void launch_settle(struct instance *in);
void launch_never_executed(struct instance *in);               /* ... nor ever will: that child is gone */
uid_t launch_uid(struct instance *in);                         /* whose its child is, or would be */
must_check int launch_try(struct instance *in, struct err *e); /* would it? All but the child */
must_check int instance_environ(const struct instance *in, struct environ *out, struct err *e);

/* wait_ready: the app said so. False: nobody waits for that. */
bool instance_ready(struct instance *in);
void instance_open_channel(struct instance *in, int take_fd);

/* sweep.c: is anything of an instance left? One pass over /proc serves all that ask in a round. What is in
 * uninterruptible sleep after SIGKILL is called unkillable after the first time, what is left at all after
 * the other. */
enum { SWEEP_STUCK_MS = 2000, SWEEP_STUCK_MOST_MS = 20000 };
void sweep(struct world *w, struct instance *const *ask, size_t n);
/* The last run may have left processes: they are looked for soon, and ended. No child is started before. */
void sweep_dirty(struct instance *in);
void sweep_forget(struct instance *in); /* a stop does so itself, or the instance goes */
/* Of no app: processes below us and the keeper that nothing ties to one. They are killed; once no app is
 * left. */
void sweep_unowned(struct world *w);

/* outlet.c: a pipe and its log file. */
struct outlet {
    uint64_t stream;
    int fds[2]; /* read end (non-blocking), write end */
    struct instance *in;
    enum outlet_state { OUTLET_OPENING, OUTLET_OPEN, OUTLET_CLOSING } state : 8;
    uint8_t which; /* OUTLET_OUT or OUTLET_ERR */
    enum outlet_run {
        OUTLET_RUN,    /* a run writes to it, or has */
        OUTLET_ENDING, /* pump_end_run() was asked */
        OUTLET_ENDED,  /* a new run may begin */
    } run : 8;
    unsigned ticket;      /* of pump_end_run() */
    int error;            /* errno: the file cannot be written just now */
    int64_t dropped_here; /* bytes, of in->dropped: since this daemon has it */
};
must_check int outlet_open(struct instance *in, int which,
                           struct err *e); /* OPENING until the pump has its file */
void outlet_adopt(struct instance *in, int which, const int fds[2]);
void outlet_adopt_transit(struct world *w, const int fds[TRANSIT_FDS]); /* before the others */
void outlet_retarget(struct outlet *o); /* the settings of its app are others now */
/* *take_rights: of the app's user (logs/place.h), or NULL. -1: there is no such user; the rights are none's.
 */
int outlet_target(const struct instance *in, int which, struct pump_target *to, char **take_path,
                  struct rights **take_rights, struct err *e);
int app_log_rights(const struct app *a, struct rights **take, struct err *e); /* launch.c; as that */
const char *outlet_trouble(int error);                                        /* in words */
void outlet_close(struct outlet *o); /* drains; the instance hears through instance_outlet_closed */
/* After outlet_close(), when the pump is stuck: the instance has it no longer. What is in the pipe is written
 * if the disk goes on before we end. False: one of its number was left behind already (an app that was
 * deleted, resurrected and deleted again). */
bool outlet_abandon(struct outlet *o);
enum { OUTLET_STUCK_MS = 5000 }; /* the pump is called stuck */
/* Says once that it is, and once that it goes on. False: it has nothing to do. */
bool outlet_look(struct world *w);
void outlet_free(struct outlet *o);
/* Before a spawn: what the last run has left in the pipes belongs to that one. False: the log writer has yet
 * to see to it, and its answer (instance_outlet_ended) starts us again. */
bool outlet_end_run(struct instance *in);
/* Writes to its stdin. Returns how much was taken; -1 and errno; EINPROGRESS: the log writer does it, and
 * world.log_done is told (PUMP_SENT with the ticket), until OUTLET_SEND_MS are over at the latest: for
 * something is in that pipe, so the app may have its lock. */
enum { OUTLET_SEND_MS = 1500 };
ssize_t outlet_send(struct instance *in, const struct buf *text, uint64_t ticket);
/* ... and right before it: the child finds its standard descriptors as the first one did. */
void outlet_begin_run(struct instance *in);
void outlet_done_abandoned(struct world *w);
void outlet_told(void *world, const struct pump_news *news);
bool instance_has_outlets(const struct instance *in); /* all of them, open */
void instance_outlet_opened(struct instance *in);     /* instance.c */
void instance_outlet_failed(struct instance *in, int which, const char *path, int error);
void instance_outlet_closed(struct instance *in);

/* pidwatch.c: told once when a process that is not ours to reap has ended. */
typedef void pidwatch_ended(void *arg);
struct pidwatch *pidwatch_new(uv_loop_t *loop, int take_pidfd, pidwatch_ended *ended, void *arg);
int pidwatch_fd(const struct pidwatch *p);
struct pidwatch *pidwatch_free(struct pidwatch *p);
