/* src/daemon/op.h: commands on apps that take their time. One op per request, one item per app; an app works
 * on one kind of item at a time, different apps in parallel. A stop or delete does not wait behind a start or
 * restart: those end as cancelled. Items of the same kind that wait in a row are done as one; a restart not
 * once a child is back that came with older settings. */
#pragma once
#include "daemon/request.h"

enum op_kind { OP_START, OP_STOP, OP_RESTART, OP_DELETE, OP_RELOAD, OP_SCALE, OP_RESURRECT };

struct op;

/* The answer goes to the request's connection, if it is still there, once all items are done. */
struct op *op_new(struct request *r, bool wait);
struct op *op_new_silent(struct daemon *d); /* answers nobody: a signal asked */
void op_add(struct op *o, struct app *a, enum op_kind kind);
void op_add_scale(struct op *o, struct app *a, int wanted); /* instances */
void op_add_unchanged(struct op *o, const struct app *a);
void op_add_error(struct op *o, const char *name, const struct err *e);
typedef void op_ended(struct daemon *d, size_t count);
void op_when_done(struct op *o, op_ended *done); /* called after the answer */
void op_warn(struct op *o, const char *text);    /* "warning" in the answer */
void op_fail(struct op *o, const struct err *e); /* in place of op_go: the answer is an error */
void op_go(struct op *o);
bool op_is_last(const struct app *a, enum op_kind kind); /* is this what is asked of the app last? */
void op_cancel(struct op *o); /* before op_go, with nothing added yet: the request was answered otherwise */

void op_advance(void *daemon, struct app *a); /* world.advance */
