/* The traffic of scripts under crates/cauce-drill/scripts, played by hand. Each has a library of its own. */
#ifndef PLAYS_H
#define PLAYS_H

#include "sleeper.h"
#include <fcntl.h>

static unsigned char buffer[65536];

static void write_pattern(int fd, size_t at, size_t len)
{
	fill(buffer, at, len);
	IS(t.write(U, fd, buffer, len), (long long)len);
}

static void read_pattern(int fd, size_t at, size_t len)
{
	memset(buffer, 0, len);
	IS(t.read(U, fd, buffer, sizeof buffer), (long long)len);
	CHECK(is_pattern(buffer, at, len));
}

/* open/passive, receive/quick_ack, send/push: a handshake from outside, data both ways. */
static void play_passive(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	inject(&p, ACK | PSH, 1, 1, 1000);
	expect(&p, ACK, 1, 1001, 0);
	read_pattern(fd, 1, 1000);
	write_pattern(fd, 1, 3000);
	for (int i = 0; i < 3; i++)
		expect(&p, ACK, 1 + 1000 * i, 1001, 1000);
	inject(&p, ACK, 1001, 3001, 0);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 3001, 1001, 0);
	end();
}

/* open/active_blocking: connect() sleeps on a second thread until the SYN,ACK is there. */
static void play_active(void)
{
	begin("sysctls=own");
	int fd = t.socket(U, AF_INET, SOCK_STREAM, 0);
	struct sleeper s;
	sleeper_start(&s, call_connect, fd);
	struct peer p = peer_to(LOCAL, 0, REMOTE);
	p.remote_port = 8080;
	expect(&p, SYN, 0, 0, 0);
	CHECK(!s.done);
	inject_with(&p, SYN | ACK, 0, 1, 32792, SYN_OPTIONS, sizeof SYN_OPTIONS, 0);
	IS(sleeper_result(&s), 0);
	expect(&p, ACK, 1, 1, 0);
	write_pattern(fd, 1, 10);
	expect(&p, ACK, 1, 1, 10);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 11, 1, 0);
	end();
}

/* open/active_refused: a reset answers the SYN. */
static void play_refused(void)
{
	int error = -1;
	socklen_t len = sizeof error;
	begin("sysctls=own");
	int fd = t.socket(U, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(connect_to(fd, REMOTE, 8080), EINPROGRESS);
	struct peer p = peer_to(LOCAL, 0, REMOTE);
	p.remote_port = 8080;
	expect(&p, SYN, 0, 0, 0);
	FAILS(connect_to(fd, REMOTE, 8080), EALREADY);
	inject(&p, RST | ACK, 0, 1, 0);
	IS(t.getsockopt(U, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	IS(error, ECONNREFUSED);
	IS(len, 4);
	IS(t.close(U, fd), 0);
	end();
}

/* receive/delayed_ack: once the application answers, a small segment is acknowledged 40 ms late. */
static void play_delayed_ack(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	inject(&p, ACK | PSH, 1, 1, 100);
	expect(&p, ACK, 1, 101, 0);
	read_pattern(fd, 1, 100);
	write_pattern(fd, 1, 100);
	expect(&p, ACK, 1, 101, 100);
	IS(t.usleep(U, 100000), 0);
	long long start = now();
	inject(&p, ACK | PSH, 101, 101, 100);
	CHECK(expect(&p, ACK, 101, 201, 0)->at >= start + 40000);
	IS(t.close(U, fd), 0);
	/* Bytes are unread: a reset, as in close/unread. */
	expect(&p, RST | ACK, 101, 201, 0);
	end();
}

/* recovery/rto: what is not acknowledged comes again, later each time, though nobody calls. */
static void play_rto(void)
{
	struct peer p;
	begin("sysctls=own,sysctl.tcp_early_retrans=0");
	int fd = accepted(&p);
	write_pattern(fd, 1, 3000);
	long long sent = 0, first, second;
	for (int i = 0; i < 3; i++)
		sent = expect(&p, ACK, 1 + 1000 * i, 1, 1000)->at;
	first = expect(&p, ACK, 1, 1, 1000)->at;
	CHECK(first >= sent + 200000);
	second = expect(&p, ACK, 1, 1, 1000)->at;
	CHECK(second >= first + 400000);
	inject(&p, ACK, 1, 3001, 0);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 3001, 1, 0);
	end();
}

static void inject_sack(struct peer *p, uint32_t from, uint32_t to)
{
	unsigned char options[] = { 1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0 };
	put32(options + 4, p->irs + from);
	put32(options + 8, p->irs + to);
	inject_with(p, ACK, 1, 1, 257, options, sizeof options, 0);
}

/* recovery/fast_retransmit: three segments SACKed beyond a hole. The time-out is far away: 60 s. */
static void play_fast_retransmit(void)
{
	struct peer p;
	begin("sysctls=own,sysctl.tcp_early_retrans=0,sysctl.tcp_rto_min_us=60000000");
	int fd = accepted(&p);
	write_pattern(fd, 1, 10000);
	for (int i = 0; i < 10; i++)
		expect(&p, ACK, 1 + 1000 * i, 1, 1000);
	inject_sack(&p, 1001, 2001);
	inject_sack(&p, 1001, 3001);
	inject_sack(&p, 1001, 4001);
	expect(&p, ACK, 1, 1, 1000);
	inject(&p, ACK, 1, 10001, 0);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 10001, 1, 0);
	end();
}

/* close/active: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT. */
static void play_close_active(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 1, 1, 0);
	inject(&p, ACK, 1, 2, 0);
	inject(&p, FIN | ACK, 1, 2, 0);
	expect(&p, ACK, 2, 2, 0);
	end();
}

/* close/passive: CLOSE-WAIT, the end for the reader, LAST-ACK, and a reset for what comes after. */
static void play_close_passive(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	inject(&p, FIN | ACK, 1, 1, 0);
	expect(&p, ACK, 1, 2, 0);
	IS(t.read(U, fd, buffer, 100), 0);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 1, 2, 0);
	inject(&p, ACK, 2, 2, 0);
	inject(&p, ACK, 2, 2, 0);
	expect(&p, RST, 2, 0, 0);
	end();
}

/* close/simultaneous: FINs that cross. */
static void play_close_simultaneous(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	IS(t.shutdown(U, fd, SHUT_WR), 0);
	expect(&p, FIN | ACK, 1, 1, 0);
	FAILS(t.write(U, fd, "x", 1), EPIPE);
	inject(&p, FIN | ACK, 1, 1, 0);
	expect(&p, ACK, 2, 2, 0);
	inject(&p, ACK, 2, 2, 0);
	IS(t.read(U, fd, buffer, 100), 0);
	IS(t.close(U, fd), 0);
	end();
}

/* close/linger_zero and reset/exact: resets out and in. */
static void play_reset(void)
{
	struct peer p;
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	begin("sysctls=own");
	int fd = accepted(&p);
	IS(t.setsockopt(U, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	IS(t.close(U, fd), 0);
	expect(&p, RST | ACK, 1, 1, 0);
	fd = accepted(&p);
	struct sleeper s;
	sleeper_start(&s, call_read, fd);
	inject(&p, RST, 1, 0, 0);
	FAILS(sleeper_result(&s), ECONNRESET);
	IS(t.close(U, fd), 0);
	end();
}

/* api/poll, api/epoll_level, api/epoll_oneshot: readiness from the handshake to the end. */
static void play_readiness(void)
{
	begin("sysctls=own");
	int fd = listener(LOCAL);
	struct peer p = peer_to(LOCAL, 8080, REMOTE);
	struct pollfd fds[] = { { .fd = -1, .events = POLLIN, .revents = 99 }, { .fd = fd, .events = POLLIN } };
	IS(t.poll(U, fds, 2, 0), 0);
	IS(fds[0].revents, 0);
	struct sleeper s;
	sleeper_start(&s, call_poll, fd);
	handshake(&p);
	IS(sleeper_result(&s), POLLIN);
	int child = t.accept(U, fd, NULL, NULL);
	fds[1] = (struct pollfd){ .fd = child, .events = POLLIN | POLLOUT | POLLRDHUP };
	IS(t.poll(U, fds, 2, 0), 1);
	IS(fds[1].revents, POLLOUT);
	int set = t.epoll_create(U, 1);
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = child }, got = { 0 };
	IS(t.epoll_ctl(U, set, EPOLL_CTL_ADD, child, &event), 0);
	FAILS(t.epoll_ctl(U, set, EPOLL_CTL_ADD, child, &event), EEXIST);
	IS(t.epoll_wait(U, set, &got, 1, 0), 0);
	inject(&p, ACK | PSH, 1, 1, 100);
	expect(&p, ACK, 1, 101, 0);
	for (int i = 0; i < 2; i++) {
		IS(t.epoll_wait(U, set, &got, 1, -1), 1);
		CHECK(got.events == EPOLLIN && got.data.fd == child);
	}
	read_pattern(child, 1, 100);
	IS(t.epoll_wait(U, set, &got, 1, 0), 0);
	event.events |= EPOLLONESHOT;
	IS(t.epoll_ctl(U, set, EPOLL_CTL_MOD, child, &event), 0);
	inject(&p, FIN | ACK, 101, 1, 0);
	IS(t.epoll_wait(U, set, &got, 1, -1), 1);
	CHECK(got.events == (EPOLLIN | EPOLLRDHUP));
	IS(t.epoll_wait(U, set, &got, 1, 0), 0);
	IS(t.epoll_ctl(U, set, EPOLL_CTL_DEL, child, NULL), 0);
	fds[0] = (struct pollfd){ .fd = 9999, .events = POLLIN };
	IS(t.poll(U, fds, 2, 0), 2);
	IS(fds[0].revents, POLLNVAL);
	IS(fds[1].revents, POLLIN | POLLOUT | POLLRDHUP);
	/* A time-out is no less than what was asked for. */
	fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	long long start = now();
	IS(t.poll(U, fds, 1, 30), 0);
	CHECK(now() >= start + 30000);
	IS(t.close(U, set), 0);
	end();
}

/* Bytes of one connection go to another through a pipe, with offsets as the tool passes them. */
static void play_splice(void)
{
	struct peer p, q;
	int ends[2];
	loff_t zero = 0, one = 1;
	begin("sysctls=own");
	int from = accepted(&p), to = accepted(&q);
	IS(t.pipe(U, ends), 0);
	inject(&p, ACK | PSH, 1, 1, 900);
	expect(&p, ACK, 1, 901, 0);
	FAILS(t.splice(U, from, &one, ends[1], NULL, 1000, 0), ESPIPE);
	FAILS(t.splice(U, from, NULL, to, NULL, 1000, 0), EINVAL);
	IS(t.splice(U, from, &zero, ends[1], NULL, 1000, SPLICE_F_NONBLOCK), 900);
	FAILS(t.splice(U, from, NULL, ends[1], NULL, 1000, SPLICE_F_NONBLOCK), EAGAIN);
	IS(t.splice(U, ends[0], NULL, to, &zero, 1000, 0), 900);
	expect(&q, ACK, 1, 1, 900);
	/* The pipe by itself. */
	IS(t.write(U, ends[1], "through", 7), 7);
	IS(t.read(U, ends[0], buffer, 100), 7);
	CHECK(memcmp(buffer, "through", 7) == 0);
	IS(t.close(U, ends[1]), 0);
	IS(t.read(U, ends[0], buffer, 100), 0);
	IS(t.close(U, ends[0]), 0);
	end();
}

/* open/accept_blocking, receive/blocking_read, send/buffer_full_blocking: calls that sleep on a thread. */
static void play_blocking(void)
{
	begin("sysctls=own,sysctl.tcp_wmem=4096 16384 16384");
	int fd = listener(LOCAL);
	struct peer p = peer_to(LOCAL, 8080, REMOTE);
	static struct sleeper s;
	sleeper_start(&s, call_accept, fd);
	handshake(&p);
	int child = sleeper_result(&s);
	CHECK(child >= 0);
	struct sockaddr_in *peer = (void *)&s.name;
	IS(s.name_len, sizeof *peer);
	CHECK(peer->sin_family == AF_INET && ntohs(peer->sin_port) == p.remote_port);
	CHECK(memcmp(&peer->sin_addr, p.remote, 4) == 0);
	sleeper_start(&s, call_read, child);
	inject(&p, ACK | PSH, 1, 1, 500);
	IS(sleeper_result(&s), 500);
	CHECK(is_pattern(s.bytes, 1, 500));
	/* A write of 8 MiB sleeps until all of it has found room. */
	sleeper_start(&s, call_write_much, child);
	static struct segment got;
	for (uint32_t next = 1, end = 1 + (8 << 20); next != end;) {
		CHECK(receive(&p, &got));
		if (got.seq == next)
			next += got.len;
		inject(&p, ACK, 501, next, 0);
	}
	IS(sleeper_result(&s), 8 << 20);
	IS(t.close(U, fd), 0);
	/* What sleeps when the library is freed is sent home. */
	sleeper_start(&s, call_read, child);
	end();
	FAILS(sleeper_result(&s), EINTR);
}

/* open/active_v6 and open/passive_mapped: both families, and IPv4 on an IPv6 socket. */
static void play_families(void)
{
	const char *const local6 = "fd3d:a0b:17d6::1", *const remote6 = "fd3d:fa7b:d17d::1";
	begin("sysctls=own");
	int fd = t.socket(U, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	FAILS(connect_to(fd, remote6, 8080), EINPROGRESS);
	struct peer p = peer_to(local6, 0, remote6);
	p.remote_port = 8080;
	expect(&p, SYN, 0, 0, 0);
	inject_with(&p, SYN | ACK, 0, 1, 32792, SYN_OPTIONS, sizeof SYN_OPTIONS, 0);
	expect(&p, ACK, 1, 1, 0);
	IS(connect_to(fd, remote6, 8080), 0);
	FAILS(connect_to(fd, remote6, 8080), EISCONN);
	write_pattern(fd, 1, 1000);
	expect(&p, ACK, 1, 1, 1000);
	inject(&p, ACK, 1, 1001, 0);
	IS(t.close(U, fd), 0);
	expect(&p, FIN | ACK, 1001, 1, 0);
	inject(&p, ACK, 1, 1002, 0);
	/* An address that was never seen before it was bound to. */
	fd = listener("::ffff:10.1.2.3");
	p = peer_to("10.1.2.3", 8080, REMOTE);
	handshake(&p);
	struct sockaddr_in6 name = { 0 };
	socklen_t len = sizeof name;
	int child = t.accept(U, fd, (struct sockaddr *)&name, &len);
	IS(len, sizeof name);
	CHECK(name.sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
	CHECK(memcmp(name.sin6_addr.s6_addr + 12, p.remote, 4) == 0);
	write_pattern(child, 1, 100);
	expect(&p, ACK, 1, 1, 100);
	end();
}

/* Packets far above the MTU arrive whole. */
static void play_large(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p);
	inject(&p, ACK | PSH, 1, 1, 30000);
	expect(&p, ACK, 1, 30001, 0);
	read_pattern(fd, 1, 30000);
	inject(&p, ACK | PSH, 30001, 1, 20000);
	expect(&p, ACK, 1, 50001, 0);
	read_pattern(fd, 30001, 20000);
	end();
}

#endif
