/* A call on a second thread, which has blocked when the kernel shows the thread as sleeping. */
#ifndef SLEEPER_H
#define SLEEPER_H

#include "peer.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

struct sleeper {
	pthread_t thread;
	long long (*call)(struct sleeper *);
	int fd;
	unsigned char bytes[65536];
	struct sockaddr_storage name;
	socklen_t name_len;
	long long result;
	int number;
	_Atomic pid_t tid;
	atomic_int done;
};

static void *sleeper_run(void *data)
{
	struct sleeper *s = data;
	s->tid = syscall(SYS_gettid);
	errno = 0;
	s->result = s->call(s);
	s->number = errno;
	s->done = 1;
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], line[512] = "";
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	size_t len = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[len] = 0;
	char *after = strrchr(line, ')');
	return after && after[1] ? after[2] : 0;
}

/* Starts the call and returns when it sleeps. */
static void sleeper_start(struct sleeper *s, long long (*call)(struct sleeper *), int fd)
{
	memset(s, 0, sizeof *s);
	s->call = call;
	s->fd = fd;
	IS(pthread_create(&s->thread, NULL, sleeper_run, s), 0);
	/* Several looks in a row, for a thread also sleeps for a moment where it waits for a lock. */
	for (int looks = 0, sleeping = 0; sleeping < 5; looks++) {
		if (s->done)
			FAIL("the call returned %lld (errno %d) instead of waiting", s->result, s->number);
		if (looks > 20000)
			FAIL("the thread of the call does not sleep");
		sleeping = s->tid && state_of(s->tid) == 'S' ? sleeping + 1 : 0;
		IS(t.usleep(U, 500), 0);
	}
}

static long long sleeper_result(struct sleeper *s)
{
	IS(pthread_join(s->thread, NULL), 0);
	errno = s->number;
	return s->result;
}

static long long call_connect(struct sleeper *s)
{
	return connect_to(s->fd, REMOTE, 8080);
}

static long long call_accept(struct sleeper *s)
{
	s->name_len = sizeof s->name;
	return t.accept(U, s->fd, (struct sockaddr *)&s->name, &s->name_len);
}

static long long call_read(struct sleeper *s)
{
	return t.read(U, s->fd, s->bytes, sizeof s->bytes);
}

static long long call_write_much(struct sleeper *s)
{
	static unsigned char much[8 << 20];
	fill(much, 1, sizeof much);
	return t.write(U, s->fd, much, sizeof much);
}

static long long call_poll(struct sleeper *s)
{
	struct pollfd one = { .fd = s->fd, .events = POLLIN };
	int count = t.poll(U, &one, 1, -1);
	return count == 1 ? one.revents : -1;
}

static long long call_receive(struct sleeper *s)
{
	size_t len = sizeof s->bytes;
	long long at;
	return t.netdev_receive(U, s->bytes, &len, &at) == 0 ? (long long)len : -1;
}

#endif
