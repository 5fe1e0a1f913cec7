/* src/logs/names.h: what lies beside a log file: its archives <file>.1 (the newest), <file>.2.gz ... and,
 * hidden, an index of times for each of them. */
#pragma once
#include <sys/types.h>

#include "base/text.h"

char *names_archive(const char *path, int number, bool gz);
/* Named after the inode it is about: a rotation renames the log alone. */
char *names_index(const char *path, ino_t inode);
char *names_part(const char *path); /* an archive that is being compressed */

/* What a name in the folder of a log is to it; base is the log's own name. */
enum names_kind { NAMES_OTHER, NAMES_ARCHIVE, NAMES_INDEX };
struct names_found {
    enum names_kind kind;
    int number; /* of an archive */
    bool gz;
    ino_t inode; /* an index is of */
};
struct names_found names_parse(const char *base, const char *name);
