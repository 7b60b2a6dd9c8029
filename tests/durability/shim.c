/* Preloaded into a process, it lets the n-th operation on a file below a folder fail, fall short, or be the last.

   arm(folder, n, how): how > 0 is the errno that the operation fails with, and from STAYS on all that follow, too (of
   errno how - STAYS); KILL_BEFORE and KILL_AFTER it; SHORT: half of what is to be written is. Operations are counted
   from 1: open for writing, write, fsync, truncate, rename, link, unlink, mkdir. With KILL_BEFORE_SQL and KILL_AFTER_SQL
   the steps of SQLite's statements that write, COMMIT too, are counted in their place; SQLite is preloaded, too, for that.

   A fork inherits the count, so the n-th operation may be the worker's of a parent, too; of both, one alone goes wrong. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILL_BEFORE = -1, KILL_AFTER = -2, SHORT = -3, KILL_BEFORE_SQL = -4, KILL_AFTER_SQL = -5, STAYS = 1000 };

static char folder[PATH_MAX];
static atomic_long count;
static long chosen;
static int how;
static struct { atomic_long most; atomic_int gone_wrong; } *shared; /* by the process that was armed and its forks */

void arm(const char *path, long n, int what) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    count = 0;
    chosen = n, how = what;
    snprintf(folder, sizeof folder, "%s", path);
}

/* how many operations there were, in the process that did the most */
long counted(void) { return shared->most; }

static int below(const char *path) {
    size_t n = strlen(folder);
    return n && path && !strncmp(path, folder, n) && (!path[n] || path[n] == '/');
}

static int below_handle(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t n = readlink(link, path, sizeof path - 1);
    return n > 0 && (path[n] = 0, below(path));
}

static int of_sql(void) { return how == KILL_BEFORE_SQL || how == KILL_AFTER_SQL; }

static int due(int concerned) {
    if (!concerned || !*folder) return 0;
    long n = ++count;
    if (n > shared->most) shared->most = n;
    return n == chosen ? !atomic_exchange(&shared->gone_wrong, 1) : how > STAYS && shared->gone_wrong;
}

static void die(void) { raise(SIGKILL); }

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define DO(concerned, call)                                   \
    if (of_sql() || !due(concerned)) return call;             \
    if (how > 0) return errno = how % STAYS, -1;              \
    if (how == KILL_BEFORE) die();                            \
    __typeof__(call) result = call;                           \
    if (how == KILL_AFTER) die();                             \
    return result

#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT))

#define MODE                                  \
    va_list rest;                             \
    va_start(rest, flags);                    \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest)

int open(const char *path, int flags, ...) {
    REAL(open);
    MODE;
    DO(WRITES(flags) && below(path), real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    MODE;
    DO(WRITES(flags) && below(path), real(path, flags, mode));
}

ssize_t write(int handle, const void *data, size_t size) {
    REAL(write);
    if (how == SHORT && size > 1 && due(below_handle(handle))) return real(handle, data, size / 2);
    DO(how != SHORT && below_handle(handle), real(handle, data, size));
}

ssize_t pwrite64(int handle, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (how == SHORT && size > 1 && due(below_handle(handle))) return real(handle, data, size / 2, at);
    DO(how != SHORT && below_handle(handle), real(handle, data, size, at));
}

int fsync(int handle) {
    REAL(fsync);
    DO(below_handle(handle), real(handle));
}

int fdatasync(int handle) {
    REAL(fdatasync);
    DO(below_handle(handle), real(handle));
}

int ftruncate64(int handle, off64_t size) {
    REAL(ftruncate64);
    DO(below_handle(handle), real(handle, size));
}

int truncate64(const char *path, off64_t size) {
    REAL(truncate64);
    DO(below(path), real(path, size));
}

int rename(const char *from, const char *to) {
    REAL(rename);
    DO(below(to), real(from, to));
}

int link(const char *from, const char *to) {
    REAL(link);
    DO(below(to), real(from, to));
}

int unlink(const char *path) {
    REAL(unlink);
    DO(below(path), real(path));
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    DO(below(path), real(path, mode));
}

int sqlite3_step(void *statement) {
    static int (*real)(void *);
    static const char *(*text)(void *);
    if (!real) real = dlsym(RTLD_NEXT, "sqlite3_step"), text = dlsym(RTLD_NEXT, "sqlite3_sql");
    if (!of_sql()) return real(statement);
    const char *sql = text(statement);
    if (!due(sql && !strchr("SsPp", *sql))) return real(statement);
    if (how == KILL_BEFORE_SQL) die();
    int result = real(statement);
    die();
    return result;
}
