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

static bool is_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_number(const char *path, int number)
{
    own_text plain = names_archive(path, number, false);
    own_text gz = names_archive(path, number, true);
    return is_there(plain) || is_there(gz);
}

/* Unlinks a file; the blocks go with the descriptor. Its index goes too, unless *spare has no other one yet
 * (NULL: it wants none). Bytes the file took. */
static int64_t discard(const char *log, const char *path, const struct rotate_trash *trash, ino_t *spare)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) : -1;
    own_text index = names_index(log, st.st_ino);
    if (!spare || *spare)
        unlink(index);
    else
        *spare = st.st_ino;
    if (unlink(path) < 0)
        st.st_size = 0;
    if (fd >= 0)
        trash->take(trash->arg, fd);
    return st.st_size;
}

static void discard_number(const char *path, int number, const struct rotate_trash *trash, ino_t *spare)
{
    own_text plain = names_archive(path, number, false);
    own_text gz = names_archive(path, number, true);
    discard(path, plain, trash, spare);
    discard(path, gz, trash, spare);
}

/* The folder, read once. */

struct survey {
    const char *path;
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
static bool is_compressed_too(const char *path, struct names_found f)
{
    own_text gz = names_archive(path, f.number, true);
    return !f.gz && is_there(gz);
}

static void survey_name(struct survey *s, const struct dirent *entry)
{
    const char *base = path_base(s->path);
    struct names_found f = names_parse(base, entry->d_name);
    if (strcmp(entry->d_name, base) == 0) {
        keep_inode(s, entry->d_ino);
    } else if (f.kind == NAMES_INDEX) {
        s->indexes = strv_add(s->indexes, entry->d_name);
    } else if (f.kind == NAMES_ARCHIVE) {
        own_text name = names_archive(s->path, f.number, f.gz);
        if (f.number > s->keep || is_compressed_too(s->path, f))
            s->freed += discard(s->path, name, s->trash, NULL);
        else
            keep_inode(s, entry->d_ino);
    }
}

/* Indexes of files that are not there any more: somebody else deleted or moved them. */
static void drop_orphans(const struct survey *s, const char *folder)
{
    for (char **name = s->indexes; name && *name; name++) {
        ino_t inode = names_parse(path_base(s->path), *name).inode;
        bool wanted = false;
        for (size_t i = 0; i < s->n_inodes && !wanted; i++)
            wanted = s->inodes[i] == inode;
        own_text path = path_join(folder, *name);
        if (!wanted)
            unlink(path);
    }
}

static int64_t survey(const char *path, int keep, const struct rotate_trash *trash)
{
    struct survey s = { .path = path, .keep = keep, .trash = trash };
    own_text folder = path_dir(path);
    DIR *d = opendir(folder);
    if (!d)
        return 0;
    for (const struct dirent *entry; (entry = readdir(d));)
        survey_name(&s, entry);
    closedir(d);
    drop_orphans(&s, folder);
    free(s.inodes);
    strv_free(s.indexes);
    return s.freed;
}

static void count(const char *path, struct rotate *r, int keep)
{
    while (r->count < keep && has_number(path, r->count + 1))
        r->count++;
}

/* Moving. */

static int move(const char *path, int from)
{
    for (int gz = 0; gz <= 1; gz++) {
        own_text old = names_archive(path, from, gz);
        own_text new = names_archive(path, from + 1, gz);
        if (rename(old, new) == 0)
            return 0;
        if (errno != ENOENT)
            return -1;
    }
    return 0; /* somebody deleted it */
}

int rotate_run(const char *path, struct rotate *r, const struct rotate_rules *rules,
               const struct rotate_trash *trash, ino_t *spare)
{
    *spare = 0;
    if (r->count < 0) {
        survey(path, rules->keep, trash);
        r->count = 0;
        count(path, r, rules->keep);
    }
    if (rules->keep == 0) {
        discard(path, path, trash, spare);
        return is_there(path) ? -1 : 0;
    }
    fault_point("rotate.begin");
    for (; r->count >= rules->keep; r->count--)
        discard_number(path, r->count, trash, spare);
    for (int i = r->count; i >= 1; i--)
        if (move(path, i) < 0)
            return -1;
    fault_point("rotate.moved");
    own_text first = names_archive(path, 1, false);
    if (rename(path, first) < 0) {
        int why = errno;
        r->count = -1; /* a gap at 1 */
        errno = why;
        return -1;
    }
    r->count++;
    fault_point("rotate.renamed");
    count(path, r, rules->keep);
    return 0;
}

void rotate_undo(const char *path, struct rotate *r)
{
    own_text first = names_archive(path, 1, false);
    if (rename(first, path) < 0) {
        /* kept nothing, or gone: the next one to open it makes it anew */
    }
    r->count = -1;
}

int64_t rotate_delete_all(const char *path, struct rotate *r, const struct rotate_trash *trash)
{
    own_text part = names_part(path);
    unlink(part);
    r->count = 0;
    return survey(path, 0, trash);
}

int rotate_find(const char *path, int keep, ino_t inode)
{
    for (int i = 1; i <= keep; i++) {
        own_text name = names_archive(path, i, false);
        struct stat st;
        if (lstat(name, &st) == 0 && st.st_ino == inode)
            return i;
    }
    return 0;
}
