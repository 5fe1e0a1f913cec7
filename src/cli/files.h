/* src/cli/files.h: commands that act on a file's apps (with --only, --env). */
#pragma once
#include "cli/cli.h"
#include "conf/config.h"

#define FILES_ONLY                                                                                           \
    {                                                                                                        \
        0, "only", OPT_TEXT, "Of a file, these apps alone.", "NAME,..."                                      \
    }
#define FILES_OPTS                                                                                           \
    FILES_ONLY,                                                                                              \
    {                                                                                                        \
        0, "env", OPT_TEXT, "Of a file, this profile: env_PROFILE is merged over env.", "PROFILE"            \
    }

bool files_is_one(const char *word); /* ends in .toml and is there */
/* A file of that name is there. A folder hides no program on PATH, unless its name is a path. */
bool files_is_there(const char *word);
/* ERR_CONFIG: it is a list of apps for PM2, as a program one that does nothing and ends well. */
must_check int files_check_pm2(const char *word, struct err *e);

char **files_only(const struct cli *c); /* --only a,b as a strv, or NULL */

/* Reads `path` as --only and --env say and appends its apps. 0; or, its problems shown, the exit status. */
must_check int files_load(struct cli *c, const char *path, struct config *to);

/* The words of a command on apps: files are read into `files`, the other words become selectors. 0; or, what
 * is wrong in a file shown, the exit status; or -1, also where --only or --env have no file. */
must_check int files_read_words(struct cli *c, struct config *files, char ***select, struct err *e);

/* To an error from a command on such words: what was taken for an app's name was meant as a file. -1. */
int files_explain(const struct cli *c, struct err *e);

/* --only and --env choose from files: ERR_USAGE when there are none, or when --only names nobody. */
must_check int files_check_opts(const struct cli *c, const struct config *files, struct err *e);
must_check int files_check_only(const struct cli *c, struct err *e); /* the latter alone */

/* A word that is no file: "npm run dev". What a shell would do more with it than split it is left to sh. */
struct files_command {
    char **words; /* the program and its arguments; {"sh", "-c", line} */
    char *name;   /* for the app */
    bool shell;
};
/* ERR_USAGE: an open quote, or no word at all. */
must_check int files_read_command(const char *line, struct files_command *out, struct err *e);
void files_command_done(struct files_command *cmd);

/* A name the rule allows, made of the script's: "my app.js" is "my-app", "42.js" is "app-42". */
char *files_app_name(const char *script);

void files_append(struct config *to, struct app_spec *take);
void files_write_apps(const struct config *apps, struct json_out *j); /* "apps": [...] */
void files_write_environ(struct json_out *j);                         /* "environ": [...]: the caller's */
