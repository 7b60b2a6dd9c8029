/* Preloaded into a process, it lets the n-th operation on a file below a folder fail, fall short, or be the last.

   arm(folder, n, how): how > 0 is the errno that the operation fails with; KILL_BEFORE and KILL_AFTER it; SHORT: half of
   what is to be written is. Operations are counted from 1: open for writing, write, fsync, rename, link, unlink, mkdir. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILL_BEFORE = -1, KILL_AFTER = -2, SHORT = -3 };

static char folder[PATH_MAX];
static long count, chosen;
static int how;

void arm(const char *path, long n, int what) {
    snprintf(folder, sizeof folder, "%s", path);
    count = 0, chosen = n, how = what;
}

long counted(void) { return count; }

static int below(const char *path) { return *folder && path && !strncmp(path, folder, strlen(folder)); }

static int below_handle(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t n = readlink(link, path, sizeof path - 1);
    return n > 0 && (path[n] = 0, below(path));
}

static int due(int concerned) { return concerned && ++count == chosen; }

static void die(void) { raise(SIGKILL); }

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define DO(concerned, call)                                   \
    if (!due(concerned)) return call;                         \
    if (how > 0) return errno = how, -1;                      \
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

int fsync(int handle) {
    REAL(fsync);
    DO(below_handle(handle), real(handle));
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
