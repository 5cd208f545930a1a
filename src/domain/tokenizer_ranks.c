/* Opens data files. They come from outside the program, so everything that counting takes for granted is checked, once: sizes, the
 * checksum, and that no number leads out of its table or round for ever. */
#include "domain/tokenizer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data files are read in place, in little-endian order");
_Static_assert(sizeof(struct ranks_header) == 32 && sizeof(struct trie_node) == 8 && sizeof(struct token_row) == 12,
               "the layout that scripts/token-ranks.mjs writes");

enum { PATH_BYTES = 4096 };

static const char file_magic[8] = { 'a', 'i', 'r', 'g', 't', 'k', 'n', 's' };

static const char *const file_names[] = { [TOKENIZER_CL100K] = "cl100k_base.ranks", [TOKENIZER_O200K] = "o200k_base.ranks" };

/* --- verifying --- */

static uint64_t file_bytes(const struct ranks_header *header)
{
    return sizeof(*header) + (uint64_t)header->node_count * sizeof(struct trie_node) +
           (uint64_t)header->token_count * sizeof(struct token_row) + (uint64_t)header->pair_count * sizeof(uint32_t);
}

static const char *header_fault(const struct ranks_header *header, struct slice file)
{
    if (memcmp(header->magic, file_magic, sizeof(file_magic)) != 0)
        return "it is no file of token ranks";
    if (header->version != RANKS_VERSION)
        return "it was made for another version";
    if (header->vocabulary != TOKENIZER_CL100K && header->vocabulary != TOKENIZER_O200K)
        return "its vocabulary is not known";
    if (header->token_count < RANKS_BYTE_TOKENS || header->token_count > RANKS_MOST_TOKENS)
        return "its number of tokens is out of bounds";
    if (header->node_count <= RANKS_BYTE_TOKENS || header->node_count > RANKS_MOST_NODES)
        return "its number of nodes is out of bounds";
    if (header->pair_count == 0 || header->pair_count > RANKS_MOST_PAIRS || (header->pair_count & (header->pair_count - 1)) != 0)
        return "its number of pairs is out of bounds";
    if (file_bytes(header) != file.length)
        return "it is shorter or longer than its head says";
    if (XXH32(file.bytes + RANKS_CHECKED_FROM, file.length - RANKS_CHECKED_FROM, 0) != header->checksum)
        return "its checksum is wrong";
    return NULL;
}

/* From every node, every byte leads to a place in the table. */
static bool nodes_are_sound(const struct trie_node *nodes, const struct ranks_header *header)
{
    for (uint32_t i = 0; i < header->node_count; i++)
        if (nodes[i].base > header->node_count - RANKS_BYTE_TOKENS || nodes[i].value >> 9 > header->token_count)
            return false;
    return true;
}

/* Tokens are made of lower ones, and what they begin with is shorter: neither goes round. */
static bool row_is_sound(const struct token_row *rows, uint32_t token, uint32_t token_count)
{
    const struct token_row *row = &rows[token];
    uint32_t length = row->shorter_and_length >> 24, shorter = row->shorter_and_length & RANKS_NO_TOKEN;
    if (token < RANKS_BYTE_TOKENS)
        return row->left == token && row->right == token && length == 1 && shorter == RANKS_NO_TOKEN;
    if (row->left >= token || row->right >= token || shorter >= token_count)
        return false;
    return (rows[row->left].shorter_and_length >> 24) + (rows[row->right].shorter_and_length >> 24) == length &&
           rows[shorter].shorter_and_length >> 24 < length;
}

static bool rows_are_sound(const struct token_row *rows, uint32_t token_count)
{
    for (uint32_t token = 0; token < token_count; token++)
        if (!row_is_sound(rows, token, token_count))
            return false;
    return true;
}

/* A look-up ends at a free slot, so there must be one. */
static bool pairs_are_sound(const uint32_t *pairs, const struct ranks_header *header)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < header->pair_count; i++) {
        if ((pairs[i] & (RANKS_MOST_TOKENS - 1)) >= header->token_count)
            return false;
        used += pairs[i] != 0;
    }
    return used < header->pair_count;
}

/* What is wrong with the file; NULL: nothing, and the tokenizer is set. */
static const char *read_tables(struct slice file, struct tokenizer *ret_tokenizer)
{
    struct ranks_header header;
    if (file.length < sizeof(header))
        return "it is no file of token ranks";
    if ((uintptr_t)file.bytes % sizeof(uint64_t) != 0)
        return "it is not aligned in memory";
    memcpy(&header, file.bytes, sizeof(header));
    const char *fault = header_fault(&header, file);
    if (fault)
        return fault;
    const struct trie_node *nodes = (const void *)(file.bytes + sizeof(header));
    const struct token_row *rows = (const void *)(nodes + header.node_count);
    const uint32_t *pairs = (const void *)(rows + header.token_count);
    if (!nodes_are_sound(nodes, &header))
        return "a node leads out of its table";
    if (!rows_are_sound(rows, header.token_count))
        return "a token is made of what it cannot be made of";
    if (!pairs_are_sound(pairs, &header))
        return "its table of pairs is full or leads out of the tokens";
    *ret_tokenizer = (struct tokenizer){
        .vocabulary = (enum tokenizer_vocabulary)header.vocabulary,
        .nodes = nodes,
        .rows = rows,
        .pairs = pairs,
        .pair_mask = header.pair_count - 1,
    };
    return NULL;
}

/* --- opening --- */

static bool fail(char *ret_error, const char *path, const char *why)
{
    (void)snprintf(ret_error, TOKENIZER_ERROR_BYTES, "cannot use the token ranks %s: %s", path, why);
    return false;
}

static bool read_named(struct slice file, const char *path, struct tokenizer **ret_tokenizer, char *ret_error)
{
    struct tokenizer tokenizer;
    const char *fault = read_tables(file, &tokenizer);
    if (fault)
        return fail(ret_error, path, fault);
    *ret_tokenizer = allocate(sizeof(tokenizer));
    **ret_tokenizer = tokenizer;
    return true;
}

bool tokenizer_read(struct slice file, struct tokenizer **ret_tokenizer, char *ret_error)
{
    return read_named(file, "in memory", ret_tokenizer, ret_error);
}

/* Maps the whole file, which holds at least one byte. NULL with errno. */
static void *map_file(int file, size_t *ret_bytes)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return NULL;
    if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : ENODATA;
        return NULL;
    }
    *ret_bytes = (size_t)status.st_size;
    void *mapping = mmap(NULL, *ret_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0); /* all of it is read at once */
    return mapping == MAP_FAILED ? NULL : mapping;
}

static bool open_mapped(void *mapping, size_t bytes, const char *path, struct tokenizer **ret_tokenizer, char *ret_error)
{
    if (!read_named(slice_of(mapping, bytes), path, ret_tokenizer, ret_error)) {
        (void)munmap(mapping, bytes);
        return false;
    }
    (*ret_tokenizer)->mapping = mapping;
    (*ret_tokenizer)->mapping_bytes = bytes;
    return true;
}

bool tokenizer_open(const char *path, struct tokenizer **ret_tokenizer, char *ret_error)
{
    size_t bytes = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for the writer of a pipe */
    void *mapping = file < 0 ? NULL : map_file(file, &bytes);
    int error = errno;
    if (file >= 0)
        (void)close(file);
    if (!mapping)
        return fail(ret_error, path, strerror(error));
    return open_mapped(mapping, bytes, path, ret_tokenizer, ret_error);
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    if (tokenizer->mapping)
        (void)munmap(tokenizer->mapping, tokenizer->mapping_bytes);
    free(tokenizer);
}

/* --- finding --- */

/* The directory of the executable; false when it cannot be told. */
static bool executable_directory(char ret_directory[PATH_BYTES])
{
    ssize_t length = readlink("/proc/self/exe", ret_directory, PATH_BYTES - 1);
    if (length <= 0 || length >= PATH_BYTES - 1)
        return false;
    ret_directory[length] = '\0';
    char *slash = strrchr(ret_directory, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Beside the executable, if a file is there; else where the package puts it. False when the path is too long. */
static bool choose_path(const char *name, char ret_path[PATH_BYTES])
{
    char directory[PATH_BYTES];
    int length = executable_directory(directory) ? snprintf(ret_path, PATH_BYTES, "%s/tokens/%s", directory, name) : -1;
    if (length > 0 && length < PATH_BYTES && access(ret_path, F_OK) == 0)
        return true;
    length = snprintf(ret_path, PATH_BYTES, "%s/%s", AIRGATE_SHARE_DIRECTORY, name);
    return length > 0 && length < PATH_BYTES;
}

bool tokenizer_find(enum tokenizer_vocabulary vocabulary, struct tokenizer **ret_tokenizer, char *ret_error)
{
    char path[PATH_BYTES];
    if (vocabulary == TOKENIZER_NONE)
        return fail(ret_error, "of no vocabulary", "the model's tokens are not known");
    if (!choose_path(file_names[vocabulary], path))
        return fail(ret_error, file_names[vocabulary], strerror(ENAMETOOLONG));
    if (!tokenizer_open(path, ret_tokenizer, ret_error))
        return false;
    if ((*ret_tokenizer)->vocabulary == vocabulary)
        return true;
    tokenizer_free(*ret_tokenizer);
    *ret_tokenizer = NULL;
    return fail(ret_error, path, "it holds another vocabulary than its name says");
}
