/* The table of functions as a tool declares it, and a library that is loaded and checked. */
#ifndef TABLE_H
#define TABLE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <poll.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *);
	int (*socket)(void *, int, int, int);
	int (*bind)(void *, int, const struct sockaddr *, socklen_t);
	int (*listen)(void *, int, int);
	int (*accept)(void *, int, struct sockaddr *, socklen_t *);
	int (*connect)(void *, int, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *, int, void *, size_t);
	ssize_t (*readv)(void *, int, const struct iovec *, int);
	ssize_t (*recv)(void *, int, void *, size_t, int);
	ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
	ssize_t (*write)(void *, int, const void *, size_t);
	ssize_t (*writev)(void *, int, const struct iovec *, int);
	ssize_t (*send)(void *, int, const void *, size_t, int);
	ssize_t (*sendto)(void *, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
	int (*fcntl)(void *, int, int, ...);
	int (*ioctl)(void *, int, unsigned long, ...);
	int (*close)(void *, int);
	int (*shutdown)(void *, int, int);
	int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
	int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
	int (*poll)(void *, struct pollfd *, nfds_t, int);
	int (*netdev_send)(void *, const void *, size_t);
	int (*netdev_receive)(void *, void *, size_t *, long long *);
	int (*usleep)(void *, useconds_t);
	int (*gettimeofday)(void *, struct timeval *, struct timezone *);
	int (*epoll_create)(void *, int);
	int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
	int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
	int (*pipe)(void *, int[2]);
	int (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned);
};

/* The library under test. `U` is its data, the first argument of everything. */
static struct packetdrill_interface t;
#define U (t.userdata)

#define FAIL(...) \
	do { \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__); \
		fprintf(stderr, "\n"); \
		exit(1); \
	} while (0)

#define CHECK(what) \
	do { \
		errno = 0; \
		if (!(what)) \
			FAIL("%s (errno %d, %s)", #what, errno, strerror(errno)); \
	} while (0)

/* A call that must return `value`. */
#define IS(call, value) \
	do { \
		errno = 0; \
		long long got_ = (call), want_ = (value); \
		if (got_ != want_) \
			FAIL("%s is %lld, not %lld (errno %d, %s)", #call, got_, want_, errno, strerror(errno)); \
	} while (0)

/* A call that must fail with `number`. */
#define FAILS(call, number) \
	do { \
		errno = 0; \
		long long got_ = (call); \
		if (got_ != -1 || errno != (number)) \
			FAIL("%s is %lld with errno %d (%s), not -1 with %s", #call, got_, errno, strerror(errno), #number); \
	} while (0)

static void (*init)(const char *, struct packetdrill_interface *);

/* Opens the object as the tool does. */
static void open_object(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
	if (object == NULL)
		FAIL("%s", dlerror());
	*(void **)&init = dlsym(object, "packetdrill_interface_init");
	if (init == NULL)
		FAIL("%s", dlerror());
}

/* A fresh library in place of whatever was there. */
static void begin(const char *flags)
{
	memset(&t, 0, sizeof t);
	init(flags, &t);
	for (void *const *member = (void *const *)&t; member < (void *const *)(&t + 1); member++)
		CHECK(*member != NULL);
}

static void end(void)
{
	t.free(U);
	memset(&t, 0, sizeof t);
}

/* Microseconds of the library's clock. */
static long long now(void)
{
	struct timeval tv = { 0 };
	IS(t.gettimeofday(U, &tv, NULL), 0);
	CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* What byte `at` of each stream holds. */
static unsigned char pattern(size_t at)
{
	return at * 7 + at / 251;
}

static void fill(unsigned char *to, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = pattern(at + i);
}

static int is_pattern(const unsigned char *from, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (from[i] != pattern(at + i))
			return 0;
	return 1;
}

#endif
