/* Moves the wall clock of an app, and of all that it starts: preloaded (LD_PRELOAD) by `rr test`.
 *
 * The file that RR_CLOCK names holds one number: nanoseconds, 64 bits, native order. It is mapped, so that rr moves the
 * clock of running processes by writing it. The number is added where a program reads the wall clock, and taken off
 * again where a program hands a moment of the wall clock to the kernel to wait for. Monotonic clocks are left alone, so
 * whatever waits for so-and-so long waits for that long, also while the clock moves.
 *
 * Without that file nothing is different. Nothing here allocates, locks, or makes a system call once it has begun.
 *
 * The same binary serves glibc (2.17 and newer) and musl: no header and no versioned symbol of either is used, only what
 * every 64-bit Linux has in common. `clock_library.py` says how it is linked.
 */
#if !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "only 64-bit Linux on x86-64 and aarch64"
#endif
#ifndef CLOCK_FILE
#define CLOCK_FILE "RR_CLOCK"
#endif

struct timespec { long sec, nsec; };
struct timeval { long sec, usec; };
struct timeb { long sec; unsigned short millitm; short timezone, dstflag; };
struct itimerspec { struct timespec interval, value; };

extern char *getenv(const char *name);
extern int open(const char *path, int flags, ...);
extern long read(int file, void *to, unsigned long size);
extern int close(int file);
extern void *mmap(void *at, unsigned long size, int protection, int flags, int file, long offset);
extern void *dlsym(void *handle, const char *name);
extern void *dlvsym(void *handle, const char *name, const char *version) __attribute__((weak)); /* musl has none */

enum { READ_ONLY = 0, CLOSE_ON_EXEC = 02000000, PROTECTION_READ = 1, SHARED = 1, NOT_IMPLEMENTED = 38 };
enum { REALTIME = 0, REALTIME_COARSE = 5, REALTIME_ALARM = 8, TAI = 11, UTC = 1, ABSOLUTE = 1 };
enum { FUTEX_LOCK_PI = 6, FUTEX_WAIT_BITSET = 9, FUTEX_WAIT_REQUEUE_PI = 11, FUTEX_COMMAND = 127 };
#if defined(__x86_64__)
enum { SYS_CLOCK_GETTIME = 228, SYS_FUTEX = 202 };
#else
enum { SYS_CLOCK_GETTIME = 113, SYS_FUTEX = 98 };
#endif
#define SECOND 1000000000L
#define NEXT_LIBRARY ((void *)-1L)

/* A moment before 2001 is one of a monotonic clock, for which a machine would have to be up for 31 years: so a wait on
 * something that may have either clock (a condition variable, a timer) need not be asked which one it has. */
#define FIRST_OF_WALL SECOND

/* -- the file, and what lies below ------------------------------------------------------------------------------- */

static const long still = 0;
static const long *offset_file = &still;
static int begun;

static int (*next_clock_gettime)(int, struct timespec *);
static long (*next_syscall)(long, long, long, long, long, long, long);

/* On x86-64, glibc has two of these: under its first version something else, for programs of before 2003, and that is
 * what `dlsym` finds in many a glibc. */
#if defined(__x86_64__)
#define SINCE_2_3_2 "GLIBC_2.3.2"
#define SINCE_2_3_3 "GLIBC_2.3.3"
#else
#define SINCE_2_3_2 0
#define SINCE_2_3_3 0
#endif

/* What the next library in line (the C library, or another that is preloaded) has under this name. Looked up once. */
static void *below_of(void **known, const char *name, const char *version) {
    void *found = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (!found) {
        if (version && dlvsym)
            found = dlvsym(NEXT_LIBRARY, name, version);
        if (!found)
            found = dlsym(NEXT_LIBRARY, name);
        __atomic_store_n(known, found, __ATOMIC_RELAXED);
    }
    return found;
}

#define below(known, name) below_of(known, name, 0)

/* At the first call of anything here, or when the library is loaded. Others may call while this runs, from within
 * `dlsym` even: they get the true time. */
static void begin(void) {
    const char *path;
    void *mapped;
    long first;
    int file;
    if (__atomic_load_n(&begun, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&begun, 1, __ATOMIC_RELAXED); /* two threads at once would only both map the file */
    below((void **)&next_syscall, "syscall");
    below((void **)&next_clock_gettime, "clock_gettime");
    path = getenv(CLOCK_FILE);
    if (!path || !*path || (file = open(path, READ_ONLY | CLOSE_ON_EXEC)) < 0)
        return;
    if (read(file, &first, sizeof first) == sizeof first) { /* else touching the mapping would be SIGBUS */
        mapped = mmap(0, sizeof first, PROTECTION_READ, SHARED, file, 0);
        if (mapped != (void *)-1L)
            __atomic_store_n(&offset_file, (const long *)mapped, __ATOMIC_RELEASE);
    }
    close(file);
}

__attribute__((constructor)) static void load(void) { begin(); }

static long offset(void) {
    if (__builtin_expect(!__atomic_load_n(&begun, __ATOMIC_RELAXED), 0))
        begin();
    return __atomic_load_n(__atomic_load_n(&offset_file, __ATOMIC_CONSUME), __ATOMIC_RELAXED);
}

static int is_wall(int clock) {
    return clock == REALTIME || clock == REALTIME_COARSE || clock == REALTIME_ALARM || clock == TAI;
}

/* -- reading the clock --------------------------------------------------------------------------------------------- */

static void move(struct timespec *at, long by) {
    long nsec = at->nsec + by % SECOND;
    at->sec += by / SECOND;
    if (nsec >= SECOND)
        at->sec++, nsec -= SECOND;
    else if (nsec < 0)
        at->sec--, nsec += SECOND;
    at->nsec = nsec;
}

/* Before the C library can be asked, the kernel is. */
static int kernel_clock(int clock, struct timespec *now) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_CLOCK_GETTIME), "D"((long)clock), "S"(now)
                     : "rcx", "r11", "memory");
    return result ? -1 : 0;
#else
    register long x8 __asm__("x8") = SYS_CLOCK_GETTIME;
    register long x0 __asm__("x0") = clock;
    register struct timespec *x1 __asm__("x1") = now;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return x0 ? -1 : 0;
#endif
}

int clock_gettime(int clock, struct timespec *now) {
    long by = offset();
    int (*next)(int, struct timespec *) = __atomic_load_n(&next_clock_gettime, __ATOMIC_RELAXED);
    int result = next ? next(clock, now) : kernel_clock(clock, now);
    if (!result && by && is_wall(clock))
        move(now, by);
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    static int (*next)(struct timeval *, void *);
    struct timespec exact;
    if (zone && below((void **)&next, "gettimeofday"))
        next(now, zone);
    if (now) {
        clock_gettime(REALTIME, &exact);
        now->sec = exact.sec;
        now->usec = exact.nsec / 1000;
    }
    return 0;
}

long time(long *where) {
    struct timespec now;
    clock_gettime(REALTIME, &now);
    if (where)
        *where = now.sec;
    return now.sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == UTC && !clock_gettime(REALTIME, now) ? base : 0;
}

int ftime(struct timeb *now) {
    struct timespec exact;
    clock_gettime(REALTIME, &exact);
    now->sec = exact.sec;
    now->millitm = (unsigned short)(exact.nsec / 1000000);
    now->timezone = now->dstflag = 0;
    return 0;
}

/* -- waiting for a moment ------------------------------------------------------------------------------------------ */

/* The app's moment as the kernel's; what is no moment of the wall clock, or none at all, stays as it is. */
static const struct timespec *as_kernel(const struct timespec *at, struct timespec *room) {
    long by = offset();
    if (!by || !at || at->sec < FIRST_OF_WALL || at->nsec < 0 || at->nsec >= SECOND)
        return at;
    if (__builtin_sub_overflow(at->sec, by / SECOND + (by > 0), &room->sec))
        return at; /* for ever, before and after */
    *room = *at;
    move(room, -by);
    if (room->sec < 0) /* long ago, for the kernel as well */
        room->sec = 0;
    return room;
}

#define NEXT_OF(version, name, ...)                         \
    static int (*next)(__VA_ARGS__);                        \
    struct timespec room;                                   \
    if (!below_of((void **)&next, #name, version))          \
        return NOT_IMPLEMENTED;
#define NEXT(name, ...) NEXT_OF(0, name, __VA_ARGS__)

#define WAIT(name) /* on a thing, until */                                            \
    int name(void *thing, const struct timespec *until) {                             \
        NEXT(name, void *, const struct timespec *)                                   \
        return next(thing, as_kernel(until, &room));                                  \
    }
#define WAIT_WITH(name, version) /* on a thing, with another, until */                \
    int name(void *thing, void *with, const struct timespec *until) {                 \
        NEXT_OF(version, name, void *, void *, const struct timespec *)               \
        return next(thing, with, as_kernel(until, &room));                            \
    }
#define WAIT_BY(name) /* on a thing, by a clock, until */                             \
    int name(void *thing, int clock, const struct timespec *until) {                  \
        NEXT(name, void *, int, const struct timespec *)                              \
        return next(thing, clock, as_kernel(until, &room));                           \
    }
#define WAIT_WITH_BY(name) /* on a thing, with another, by a clock, until */          \
    int name(void *thing, void *with, int clock, const struct timespec *until) {      \
        NEXT(name, void *, void *, int, const struct timespec *)                      \
        return next(thing, with, clock, as_kernel(until, &room));                     \
    }

WAIT(sem_timedwait)
WAIT(pthread_mutex_timedlock)
WAIT(pthread_rwlock_timedrdlock)
WAIT(pthread_rwlock_timedwrlock)
WAIT(mtx_timedlock)
WAIT_WITH(pthread_cond_timedwait, SINCE_2_3_2)
WAIT_WITH(cnd_timedwait, 0)
WAIT_WITH(pthread_timedjoin_np, 0)
WAIT_BY(sem_clockwait)
WAIT_BY(pthread_mutex_clocklock)
WAIT_BY(pthread_rwlock_clockrdlock)
WAIT_BY(pthread_rwlock_clockwrlock)
WAIT_WITH_BY(pthread_cond_clockwait)
WAIT_WITH_BY(pthread_clockjoin_np)

int clock_nanosleep(int clock, int flags, const struct timespec *time, struct timespec *left) {
    NEXT(clock_nanosleep, int, int, const struct timespec *, struct timespec *)
    return next(clock, flags, flags & ABSOLUTE ? as_kernel(time, &room) : time, left);
}

#define TIMER(name, version, Thing)                                                                    \
    int name(Thing timer, int flags, const struct itimerspec *set, struct itimerspec *old) {           \
        NEXT_OF(version, name, Thing, int, const struct itimerspec *, struct itimerspec *)             \
        struct itimerspec moved;                                                                       \
        if (!set || !(flags & ABSOLUTE))                                                               \
            return next(timer, flags, set, old);                                                       \
        moved.interval = set->interval;                                                                \
        moved.value = *as_kernel(&set->value, &room);                                                  \
        return next(timer, flags, &moved, old);                                                        \
    }
TIMER(timer_settime, SINCE_2_3_3, void *)
TIMER(timerfd_settime, 0, int)

int mq_timedsend(int queue, const char *data, unsigned long size, unsigned priority, const struct timespec *until) {
    NEXT(mq_timedsend, int, const char *, unsigned long, unsigned, const struct timespec *)
    return next(queue, data, size, priority, as_kernel(until, &room));
}

long mq_timedreceive(int queue, char *data, unsigned long size, unsigned *priority, const struct timespec *until) {
    static long (*next)(int, char *, unsigned long, unsigned *, const struct timespec *);
    struct timespec room;
    if (!below((void **)&next, "mq_timedreceive"))
        return -1;
    return next(queue, data, size, priority, as_kernel(until, &room));
}

/* C++ (std::future), gRPC and others wait by the bare system call. */
long syscall(long number, long a, long b, long c, long d, long e, long f) {
    struct timespec room;
    long result;
    if (!below((void **)&next_syscall, "syscall"))
        return -1;
    if (__builtin_expect(number == SYS_FUTEX, 0)) {
        long command = b & FUTEX_COMMAND;
        if (command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI || command == FUTEX_WAIT_REQUEUE_PI)
            d = (long)as_kernel((const struct timespec *)d, &room);
    }
    result = next_syscall(number, a, b, c, d, e, f);
    if (__builtin_expect(number == SYS_CLOCK_GETTIME, 0) && !result && is_wall((int)a))
        move((struct timespec *)b, offset());
    return result;
}
