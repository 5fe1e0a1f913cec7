#include "logs/rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "logs/names.h"

static bool is_there(const struct place *at, const char *name)
{
    struct stat st;
    return fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_number(const struct place *at, int number)
{
    own_text plain = names_archive(at->name, number, false);
    own_text gz = names_archive(at->name, number, true);
    return is_there(at, plain) || is_there(at, gz);
}

/* Unlinks a file; the blocks go with the descriptor. Its index goes too, unless *spare has no other one yet
 * (NULL: it wants none). Bytes the file took. */
static int64_t discard(const struct place *at, const char *name, const struct rotate_trash *trash,
                       ino_t *spare)
{
    struct stat st;
    if (fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int fd = S_ISREG(st.st_mode) ? openat(at->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) : -1;
    own_text index = names_index(at->name, st.st_ino);
    if (!spare || *spare)
        unlinkat(at->dir, index, 0);
    else
        *spare = st.st_ino;
    if (unlinkat(at->dir, name, 0) < 0)
        st.st_size = 0;
    if (fd >= 0)
        trash->take(trash->arg, fd);
    return st.st_size;
}

static void discard_number(const struct place *at, int number, const struct rotate_trash *trash, ino_t *spare)
{
    own_text plain = names_archive(at->name, number, false);
    own_text gz = names_archive(at->name, number, true);
    discard(at, plain, trash, spare);
    discard(at, gz, trash, spare);
}

/* The folder, read once. */

struct survey {
    const struct place *at;
    int keep; /* archives above go */
    int64_t freed;
    const struct rotate_trash *trash;
    ino_t *inodes; /* of the log and the archives that stay */
    size_t n_inodes;
    char **indexes;
};

static void keep_inode(struct survey *s, ino_t inode)
{
    s->inodes = xrealloc(s->inodes, (s->n_inodes + 1) * sizeof(*s->inodes));
    s->inodes[s->n_inodes++] = inode;
}

/* Killed between the last two steps of a compression: both are there, and the .gz is whole. */
static bool is_compressed_too(const struct place *at, struct names_found f)
{
    own_text gz = names_archive(at->name, f.number, true);
    return !f.gz && is_there(at, gz);
}

static void survey_name(struct survey *s, const struct dirent *entry)
{
    const char *base = path_base(s->at->name);
    struct names_found f = names_parse(base, entry->d_name);
    if (strcmp(entry->d_name, base) == 0) {
        keep_inode(s, entry->d_ino);
    } else if (f.kind == NAMES_INDEX) {
        s->indexes = strv_add(s->indexes, entry->d_name);
    } else if (f.kind == NAMES_ARCHIVE) {
        own_text name = names_archive(s->at->name, f.number, f.gz);
        if (f.number > s->keep || is_compressed_too(s->at, f))
            s->freed += discard(s->at, name, s->trash, NULL);
        else
            keep_inode(s, entry->d_ino);
    }
}

/* Indexes of files that are not there any more: somebody else deleted or moved them. */
static void drop_orphans(const struct survey *s, const char *folder)
{
    for (char **name = s->indexes; name && *name; name++) {
        ino_t inode = names_parse(path_base(s->at->name), *name).inode;
        bool wanted = false;
        for (size_t i = 0; i < s->n_inodes && !wanted; i++)
            wanted = s->inodes[i] == inode;
        own_text path = path_join(folder, *name);
        if (!wanted)
            unlinkat(s->at->dir, path, 0);
    }
}

static int64_t survey(const struct place *at, int keep, const struct rotate_trash *trash)
{
    struct survey s = { .at = at, .keep = keep, .trash = trash };
    own_text folder = path_dir(at->name);
    own_fd fd = openat(at->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return 0;
    (void)steal_fd(fd); /* the DIR has it */
    for (const struct dirent *entry; (entry = readdir(d));)
        survey_name(&s, entry);
    closedir(d);
    drop_orphans(&s, folder);
    free(s.inodes);
    strv_free(s.indexes);
    return s.freed;
}

static void count(const struct place *at, struct rotate *r, int keep)
{
    while (r->count < keep && has_number(at, r->count + 1))
        r->count++;
}

/* Moving. */

static int move(const struct place *at, int from)
{
    for (int gz = 0; gz <= 1; gz++) {
        own_text old = names_archive(at->name, from, gz);
        own_text new = names_archive(at->name, from + 1, gz);
        if (renameat(at->dir, old, at->dir, new) == 0)
            return 0;
        if (errno != ENOENT)
            return -1;
    }
    return 0; /* somebody deleted it */
}

int rotate_run(const struct place *at, struct rotate *r, const struct rotate_rules *rules,
               const struct rotate_trash *trash, ino_t *spare)
{
    *spare = 0;
    if (r->count < 0) {
        survey(at, rules->keep, trash);
        r->count = 0;
        count(at, r, rules->keep);
    }
    if (rules->keep == 0) {
        discard(at, at->name, trash, spare);
        return is_there(at, at->name) ? -1 : 0;
    }
    fault_point("rotate.begin");
    for (; r->count >= rules->keep; r->count--)
        discard_number(at, r->count, trash, spare);
    for (int i = r->count; i >= 1; i--)
        if (move(at, i) < 0)
            return -1;
    fault_point("rotate.moved");
    own_text first = names_archive(at->name, 1, false);
    if (renameat(at->dir, at->name, at->dir, first) < 0) {
        int why = errno;
        r->count = -1; /* a gap at 1 */
        errno = why;
        return -1;
    }
    r->count++;
    fault_point("rotate.renamed");
    count(at, r, rules->keep);
    return 0;
}

void rotate_undo(const struct place *at, struct rotate *r)
{
    own_text first = names_archive(at->name, 1, false);
    if (renameat(at->dir, first, at->dir, at->name) < 0) {
        /* kept nothing, or gone: the next one to open it makes it anew */
    }
    r->count = -1;
}

int64_t rotate_delete_all(const struct place *at, struct rotate *r, const struct rotate_trash *trash)
{
    own_text part = names_part(at->name);
    unlinkat(at->dir, part, 0);
    r->count = 0;
    return survey(at, 0, trash);
}

int rotate_find(const struct place *at, int keep, ino_t inode)
{
    for (int i = 1; i <= keep; i++) {
        own_text name = names_archive(at->name, i, false);
        struct stat st;
        if (fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode)
            return i;
    }
    return 0;
}
