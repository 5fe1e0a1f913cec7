#include "logs/names.h"

#include "base/unit.h"

TEST(paths)
{
    own_text a = names_archive("/x/api-out.log", 3, false);
    own_text b = names_archive("/x/api-out.log", 12, true);
    own_text c = names_index("/x/api-out.log", 77);
    own_text d = names_index("api.log", 5);
    own_text e = names_part("/x/y/api-out.log");
    check_text(a, "/x/api-out.log.3");
    check_text(b, "/x/api-out.log.12.gz");
    check_text(c, "/x/.api-out.log.77.idx");
    check_text(d, ".api.log.5.idx");
    check_text(e, "/x/y/.api-out.log.gz-part");
}

static const struct {
    const char *base, *name;
    enum names_kind kind;
    int number;
    bool gz;
    ino_t inode;
} rows[] = {
    { "a.log", "a.log.1", NAMES_ARCHIVE, 1, false, 0 },
    { "a.log", "a.log.30.gz", NAMES_ARCHIVE, 30, true, 0 },
    { "a.log", ".a.log.123.idx", NAMES_INDEX, 0, false, 123 },
    { "a.log", "a.log", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.0", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.01", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.1.bak", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.1gz", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.1.gz.gz", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.100000000000", NAMES_OTHER, 0, false, 0 },
    { "a.log", "aa.log.1", NAMES_OTHER, 0, false, 0 }, /* another app whose name contains ours */
    { "a.log", "a.log2.1", NAMES_OTHER, 0, false, 0 },
    { "a.log", ".a.log.1", NAMES_OTHER, 0, false, 0 },
    { "a.log", "a.log.5.idx", NAMES_OTHER, 0, false, 0 },
    { ".a.log", ".a.log.2", NAMES_ARCHIVE, 2, false, 0 },
};

TEST(parse)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
        struct names_found f = names_parse(rows[i].base, rows[i].name);
        check_int(f.kind, rows[i].kind);
        check_int(f.number, rows[i].number);
        check_int(f.gz, rows[i].gz);
        check_int(f.inode, rows[i].inode);
    }
}

UNIT_MAIN()
