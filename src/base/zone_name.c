/* Names of zones: which ones may become paths, and which one a wrong name was meant to be. */
#include "base/zone_internal.h"

#include <dirent.h>
#include <stdio.h>

enum { DEPTH_MOST = 3, MISTAKES_MOST = 2, LETTERS_PER_MISTAKE = 4 };

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
           byte == '+' || byte == '-';
}

/* No dot at all, so no way up. */
bool zone_name_is_wellformed(const char *name)
{
    size_t part_length = 0, i = 0;
    for (; name[i] != '\0'; i++) {
        if (name[i] == '/' ? part_length == 0 : !is_name_byte(name[i]))
            return false;
        part_length = name[i] == '/' ? 0 : part_length + 1;
        if (i + 1 >= ZONE_NAME_BYTES)
            return false;
    }
    return part_length > 0;
}

static char folded(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* Levenshtein's distance, without regard to case. Both are shorter than ZONE_NAME_BYTES. */
static size_t count_mistakes(struct slice a, struct slice b)
{
    size_t row[ZONE_NAME_BYTES];
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 0; i < a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.length; j++) {
            size_t replaced = diagonal + (folded(a.bytes[i]) != folded(b.bytes[j]));
            diagonal = row[j + 1];
            row[j + 1] = size_min(replaced, size_min(row[j], row[j + 1]) + 1);
        }
    }
    return row[b.length];
}

static struct slice last_part(struct slice name)
{
    struct slice part = name;
    while (name.length > 0)
        part = slice_cut(&name, '/');
    return part;
}

struct search {
    const char *directory;
    struct slice wanted;
    size_t town_mistakes, name_mistakes; /* of the nearest; to be undercut */
    char *nearest;
};

/* The town decides, so that "Berlin" is found; the whole name only decides between equal towns. */
static void consider(struct search *search, const char *candidate)
{
    struct slice name = slice_text(candidate);
    size_t town_mistakes = count_mistakes(last_part(search->wanted), last_part(name));
    size_t name_mistakes = count_mistakes(search->wanted, name);
    if (town_mistakes > search->town_mistakes || (town_mistakes == search->town_mistakes && name_mistakes >= search->name_mistakes))
        return;
    search->town_mistakes = town_mistakes;
    search->name_mistakes = name_mistakes;
    memcpy(search->nearest, candidate, name.length + 1);
}

/* Left out: the second and third copy of everything (posix, right), and Etc, whose signs are the reverse of what people expect. */
static bool is_listed(const char *name)
{
    static const char *const left_out[] = { "posix", "right", "Etc" };
    for (size_t i = 0; i < ARRAY_LENGTH(left_out); i++)
        if (strcmp(name, left_out[i]) == 0)
            return false;
    return zone_name_is_wellformed(name);
}

static void visit(struct search *search, const char *inside, int depth)
{
    char path[4096], name[ZONE_NAME_BYTES];
    if (snprintf(path, sizeof(path), "%s/%s", search->directory, inside) >= (int)sizeof(path))
        return;
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        if (!is_listed(entry->d_name) ||
            snprintf(name, sizeof(name), "%s%s%s", inside, *inside ? "/" : "", entry->d_name) >= (int)sizeof(name))
            continue;
        if (entry->d_type == DT_DIR && depth < DEPTH_MOST)
            visit(search, name, depth + 1);
        else if (entry->d_type == DT_REG || entry->d_type == DT_LNK)
            consider(search, name);
    }
    if (directory)
        (void)closedir(directory);
}

bool zone_name_nearest(const char *directory, const char *name, char ret_nearest[ZONE_NAME_BYTES])
{
    struct slice wanted = slice_text(name);
    size_t allowed = size_min(last_part(wanted).length / LETTERS_PER_MISTAKE, MISTAKES_MOST);
    struct search search = {
        .directory = directory, .wanted = wanted, .town_mistakes = allowed, .name_mistakes = SIZE_MAX, .nearest = ret_nearest
    };
    for (size_t i = 0; i < wanted.length; i++)
        if (name[i] >= '0' && name[i] <= '9')
            return false; /* a number is meant as an offset, and no other number is near it */
    visit(&search, "", 1);
    return search.name_mistakes < SIZE_MAX;
}
