/* What the moved clock of rr must get right in a C program: every way to read the wall clock, and every way to wait for
 * a moment of it. Each line of input runs all of them once; a line of output each: a name, and what it found.
 *
 * For a reader of the clock that is the time, in seconds. For a wait of 50 ms it is how long it took by the monotonic
 * clock, in milliseconds, and how it ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_RELATIVE = 0 | 128, WAIT_UNTIL = 9 | 128 | 256 }; /* of futex; musl has no <linux/futex.h> */

static double steady(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static struct timespec soon(int clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += 50000000;
    if (at.tv_nsec >= 1000000000)
        at.tv_sec++, at.tv_nsec -= 1000000000;
    return at;
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t locked;

static void *holder(void *unused) {
    pthread_rwlock_wrlock(&lock);
    sem_post(&locked);
    for (;;)
        pause();
    return unused;
}

#define READ(name, ...)                                              \
    do {                                                             \
        struct timespec found = {0, 0};                              \
        __VA_ARGS__;                                                 \
        printf("%s %.6f\n", name, found.tv_sec + found.tv_nsec / 1e9); \
    } while (0)
#define WAIT(name, clock, ...)                                          \
    do {                                                                \
        struct timespec at = soon(clock);                               \
        double began = steady();                                        \
        errno = 0;                                                      \
        int got = __VA_ARGS__;                                          \
        int why = got == -1 ? errno : got;                              \
        const char *how = why == 0 || why == ETIMEDOUT || why == thrd_timedout ? "ended" : "failed"; \
        printf("%s %.1f %s\n", name, steady() - began, how);            \
    } while (0)

static void readers(void) {
    struct timeval tv;
    time_t t;
    READ("clock_gettime", clock_gettime(CLOCK_REALTIME, &found));
    READ("clock_gettime_coarse", clock_gettime(CLOCK_REALTIME_COARSE, &found));
    READ("clock_gettime_tai", clock_gettime(CLOCK_TAI, &found));
    READ("gettimeofday", gettimeofday(&tv, NULL); found.tv_sec = tv.tv_sec; found.tv_nsec = tv.tv_usec * 1000);
    READ("time", found.tv_sec = time(NULL));
    READ("time_into", time(&t); found.tv_sec = t);
    READ("timespec_get", timespec_get(&found, TIME_UTC));
    READ("syscall", syscall(SYS_clock_gettime, CLOCK_REALTIME, &found));
    fflush(stdout);
    if (fork() == 0) {
        READ("forked", clock_gettime(CLOCK_REALTIME, &found));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static int settled(int fd, struct timespec at) {
    struct itimerspec set = {{0, 0}, at};
    uint64_t times;
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL))
        return -1;
    return read(fd, &times, sizeof times) == sizeof times ? 0 : -1;
}

static int rung(clockid_t clock, struct timespec at) {
    struct itimerspec set = {{0, 0}, at};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigset_t signals;
    timer_t timer;
    int got;
    sigemptyset(&signals), sigaddset(&signals, SIGUSR1), sigprocmask(SIG_BLOCK, &signals, NULL);
    if (timer_create(clock, &event, &timer) || timer_settime(timer, TIMER_ABSTIME, &set, NULL))
        return -1;
    got = sigwaitinfo(&signals, NULL);
    timer_delete(timer);
    return got == SIGUSR1 ? 0 : -1;
}

static void waits(void) {
    static sem_t sem;
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t wall = PTHREAD_COND_INITIALIZER, monotonic;
    static pthread_t thread;
    static cnd_t cnd;
    static mtx_t mtx, taken;
    static int begun, word;
    struct timespec past = {1000000000, 0};

    if (!begun++) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&monotonic, &attributes);
        sem_init(&sem, 0, 0), sem_init(&locked, 0, 0);
        pthread_mutex_lock(&mutex), pthread_mutex_lock(&held);
        cnd_init(&cnd), mtx_init(&mtx, mtx_plain), mtx_init(&taken, mtx_timed), mtx_lock(&mtx), mtx_lock(&taken);
        pthread_create(&thread, NULL, holder, NULL);
        sem_wait(&locked);
    }
    WAIT("sem_timedwait", CLOCK_REALTIME, sem_timedwait(&sem, &at));
    WAIT("cond_timedwait", CLOCK_REALTIME, pthread_cond_timedwait(&wall, &mutex, &at));
    WAIT("cond_timedwait_monotonic", CLOCK_MONOTONIC, pthread_cond_timedwait(&monotonic, &mutex, &at));
    WAIT("mutex_timedlock", CLOCK_REALTIME, pthread_mutex_timedlock(&held, &at));
    WAIT("rwlock_timedrdlock", CLOCK_REALTIME, pthread_rwlock_timedrdlock(&lock, &at));
    WAIT("rwlock_timedwrlock", CLOCK_REALTIME, pthread_rwlock_timedwrlock(&lock, &at));
    WAIT("cnd_timedwait", CLOCK_REALTIME, cnd_timedwait(&cnd, &mtx, &at));
    WAIT("mtx_timedlock", CLOCK_REALTIME, mtx_timedlock(&taken, &at));
    WAIT("timedjoin", CLOCK_REALTIME, pthread_timedjoin_np(thread, NULL, &at));
#ifdef __GLIBC__
    WAIT("sem_clockwait", CLOCK_REALTIME, sem_clockwait(&sem, CLOCK_REALTIME, &at));
    WAIT("sem_clockwait_monotonic", CLOCK_MONOTONIC, sem_clockwait(&sem, CLOCK_MONOTONIC, &at));
    WAIT("cond_clockwait", CLOCK_REALTIME, pthread_cond_clockwait(&wall, &mutex, CLOCK_REALTIME, &at));
    WAIT("mutex_clocklock", CLOCK_REALTIME, pthread_mutex_clocklock(&held, CLOCK_REALTIME, &at));
    WAIT("rwlock_clockrdlock", CLOCK_REALTIME, pthread_rwlock_clockrdlock(&lock, CLOCK_REALTIME, &at));
    WAIT("rwlock_clockwrlock", CLOCK_REALTIME, pthread_rwlock_clockwrlock(&lock, CLOCK_REALTIME, &at));
    WAIT("clockjoin", CLOCK_REALTIME, pthread_clockjoin_np(thread, NULL, CLOCK_REALTIME, &at));
#endif
    WAIT("clock_nanosleep", CLOCK_REALTIME, clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL));
    WAIT("clock_nanosleep_monotonic", CLOCK_MONOTONIC, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
    WAIT("nanosleep", CLOCK_REALTIME, nanosleep(&(struct timespec){0, 50000000}, NULL));
    WAIT("futex", CLOCK_REALTIME,
         (int)syscall(SYS_futex, &word, WAIT_UNTIL, 0, &at, NULL, ~0u));
    WAIT("futex_relative", CLOCK_REALTIME,
         (int)syscall(SYS_futex, &word, WAIT_RELATIVE, 0, &(struct timespec){0, 50000000}, NULL, 0));
    WAIT("timerfd", CLOCK_REALTIME, settled(timerfd_create(CLOCK_REALTIME, 0), at));
    WAIT("timerfd_monotonic", CLOCK_MONOTONIC, settled(timerfd_create(CLOCK_MONOTONIC, 0), at));
    WAIT("timer", CLOCK_REALTIME, rung(CLOCK_REALTIME, at));
    WAIT("timer_monotonic", CLOCK_MONOTONIC, rung(CLOCK_MONOTONIC, at));
    /* not for 50 ms: a moment that is over, and one that is none */
    WAIT("over", CLOCK_REALTIME, sem_timedwait(&sem, &past));
    WAIT("invalid", CLOCK_REALTIME, (at.tv_nsec = -1, sem_timedwait(&sem, &at)));
}

int main(void) {
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        readers();
        if (line[0] == 'w')
            waits();
        puts("done");
        fflush(stdout);
    }
    return 0;
}
