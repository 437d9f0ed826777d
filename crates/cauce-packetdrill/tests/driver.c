/* A program that uses the shared object as packetdrill does: `driver OBJECT TEST...`.
 *
 * It knows the interface only by its own declaration (driver/table.h), builds its packets itself
 * (driver/peer.h), and blocks on second threads (driver/sleeper.h). A test that fails says where and exits
 * with status 1. */
#define _GNU_SOURCE
#include "driver/plays.h"
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

/* The struct is a data pointer and 32 functions. */
static void test_layout(void)
{
	struct {
		struct packetdrill_interface table;
		unsigned char behind[64];
	} room;
	IS(sizeof(struct packetdrill_interface), 33 * sizeof(void *));
	IS(offsetof(struct packetdrill_interface, free), 1 * sizeof(void *));
	IS(offsetof(struct packetdrill_interface, fcntl), 17 * sizeof(void *));
	IS(offsetof(struct packetdrill_interface, netdev_send), 24 * sizeof(void *));
	IS(offsetof(struct packetdrill_interface, splice), 32 * sizeof(void *));
	memset(&room, 0xa5, sizeof room);
	init(NULL, &room.table);
	for (size_t i = 0; i < sizeof room.behind; i++)
		IS(room.behind[i], 0xa5);
	room.table.free(room.table.userdata);
	/* Every member is a function of its own. */
	begin(NULL);
	void *const *members = (void *const *)&t;
	for (int i = 1; i < 33; i++)
		for (int j = i + 1; j < 33; j++)
			CHECK(members[i] != members[j]);
	end();
	init(NULL, NULL);
}

/* Every function of the table once or more, errors of each kind, memory that faults. */
static void test_calls(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p), count = -1;
	socklen_t len;
	fill(buffer, 1, 600);
	/* Six ways to write 100 bytes. */
	struct iovec out[2] = { { buffer + 200, 30 }, { buffer + 230, 70 } };
	struct iovec last[2] = { { buffer + 500, 99 }, { buffer + 599, 1 } };
	struct msghdr message = { .msg_iov = last, .msg_iovlen = 2 };
	int on = 1;
	IS(t.setsockopt(U, fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on), 0);
	IS(t.write(U, fd, buffer, 100), 100);
	IS(t.send(U, fd, buffer + 100, 100, 0), 100);
	IS(t.writev(U, fd, out, 2), 100);
	IS(t.sendto(U, fd, buffer + 300, 100, MSG_NOSIGNAL, NULL, 0), 100);
	IS(t.sendto(U, fd, buffer + 400, 100, MSG_DONTWAIT, NULL, 0), 100);
	IS(t.sendmsg(U, fd, &message, 0), 100);
	for (int i = 0; i < 6; i++)
		expect(&p, ACK, 1 + 100 * i, 1, 100);
	inject(&p, ACK, 1, 601, 0);
	/* Five ways to read, and a look before. */
	inject(&p, ACK | PSH, 1, 601, 1000);
	IS(t.ioctl(U, fd, SIOCINQ, &count), 0);
	IS(count, 1000);
	IS(t.recv(U, fd, buffer, 100, MSG_PEEK), 100);
	CHECK(is_pattern(buffer, 1, 100));
	IS(t.read(U, fd, buffer, 200), 200);
	struct iovec in[3] = { { buffer + 200, 50 }, { NULL, 0 }, { buffer + 250, 150 } };
	IS(t.readv(U, fd, in, 3), 200);
	IS(t.recv(U, fd, buffer + 400, 200, MSG_WAITALL), 200);
	struct sockaddr_storage name;
	len = sizeof name;
	IS(t.recvfrom(U, fd, buffer + 600, 200, 0, (struct sockaddr *)&name, &len), 200);
	IS(len, 0);
	char control[256];
	message = (struct msghdr){ .msg_iov = in, .msg_iovlen = 1, .msg_control = control,
				   .msg_controllen = sizeof control, .msg_flags = -1 };
	in[0] = (struct iovec){ buffer + 800, 1000 };
	IS(t.recvmsg(U, fd, &message, 0), 200);
	IS(message.msg_flags, 0);
	IS(message.msg_controllen, 0);
	CHECK(is_pattern(buffer, 1, 1000));
	/* Flags of the descriptor, and what does not wait. */
	IS(t.fcntl(U, fd, F_GETFL), O_RDWR);
	IS(t.fcntl(U, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	IS(t.fcntl(U, fd, F_GETFL), O_RDWR | O_NONBLOCK);
	FAILS(t.read(U, fd, buffer, 10), EAGAIN);
	on = 0;
	IS(t.ioctl(U, fd, FIONBIO, &on), 0);
	IS(t.fcntl(U, fd, F_GETFL), O_RDWR);
	on = 1;
	IS(t.ioctl(U, fd, FIOSETOWN, &on), 0);
	IS(t.ioctl(U, fd, FIOGETOWN, &count), 0);
	IS(count, 1);
	FAILS(t.ioctl(U, fd, FIONBIO, NULL), EFAULT);
	FAILS(t.ioctl(U, fd, SIOCINQ, NULL), EFAULT);
	on = 0;
	FAILS(t.recv(U, fd, buffer, 10, MSG_DONTWAIT), EAGAIN);
	/* Options, in as much room as there is. */
	int mss = 0;
	len = sizeof mss;
	IS(t.getsockopt(U, fd, IPPROTO_TCP, 2 /* TCP_MAXSEG */, &mss, &len), 0);
	IS(mss, 1000);
	len = 2;
	mss = -1;
	IS(t.getsockopt(U, fd, IPPROTO_TCP, 2, &mss, &len), 0);
	IS(len, 2);
	IS(mss, (int)(0xffff0000u | 1000));
	FAILS(t.getsockopt(U, fd, IPPROTO_TCP, 2, &mss, NULL), EFAULT);
	FAILS(t.getsockopt(U, fd, IPPROTO_TCP, 2, NULL, &len), EFAULT);
	FAILS(t.getsockopt(U, fd, IPPROTO_TCP, 9999, &mss, &len), ENOPROTOOPT);
	FAILS(t.setsockopt(U, fd, IPPROTO_TCP, 9999, &on, sizeof on), ENOPROTOOPT);
	FAILS(t.setsockopt(U, fd, SOL_SOCKET, SO_KEEPALIVE, NULL, sizeof on), EFAULT);
	FAILS(t.setsockopt(U, fd, SOL_SOCKET, SO_KEEPALIVE, &on, 1), EINVAL);
	FAILS(t.setsockopt(U, fd, SOL_SOCKET, SO_KEEPALIVE, &on, -1), EINVAL);
	/* Memory that faults loses nothing. */
	inject(&p, ACK | PSH, 1001, 601, 50);
	FAILS(t.read(U, fd, NULL, 10), EFAULT);
	FAILS(t.write(U, fd, NULL, 10), EFAULT);
	FAILS(t.readv(U, fd, NULL, 1), EFAULT);
	FAILS(t.readv(U, fd, in, -1), EINVAL);
	FAILS(t.writev(U, fd, in, 1025), EINVAL);
	FAILS(t.recvmsg(U, fd, NULL, 0), EFAULT);
	message.msg_iovlen = 1025;
	FAILS(t.recvmsg(U, fd, &message, 0), EMSGSIZE);
	FAILS(t.sendmsg(U, fd, &message, 0), EMSGSIZE);
	message = (struct msghdr){ .msg_iov = in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 16 };
	memset(control, 0xff, sizeof control);
	FAILS(t.sendmsg(U, fd, &message, 0), EINVAL);
	message.msg_control = NULL;
	FAILS(t.sendmsg(U, fd, &message, 0), EFAULT);
	IS(t.read(U, fd, NULL, 0), 0);
	IS(t.write(U, fd, NULL, 0), 0);
	IS(t.read(U, fd, buffer, 100), 50);
	CHECK(is_pattern(buffer, 1001, 50));
	FAILS(t.pipe(U, NULL), EFAULT);
	FAILS(t.poll(U, NULL, 1, 0), EFAULT);
	FAILS(t.netdev_send(U, NULL, 40), EFAULT);
	FAILS(t.netdev_send(U, buffer, 0), EINVAL);
	FAILS(t.epoll_create(U, 0), EINVAL);
	FAILS(t.epoll_wait(U, fd, NULL, 1, 0), EFAULT);
	/* Addresses that are none. */
	struct sockaddr_in short_address = { .sin_family = AF_INET };
	FAILS(t.bind(U, fd, (struct sockaddr *)&short_address, 8), EINVAL);
	FAILS(t.bind(U, fd, NULL, 16), EFAULT);
	FAILS(t.connect(U, fd, NULL, 16), EFAULT);
	FAILS(t.connect(U, fd, (struct sockaddr *)&short_address, 1000), EINVAL);
	FAILS(t.accept(U, fd, (struct sockaddr *)&name, NULL), EFAULT);
	FAILS(t.accept(U, fd, NULL, NULL), EINVAL);
	FAILS(t.listen(U, 9999, 1), EBADF);
	FAILS(t.shutdown(U, -1, SHUT_RD), EBADF);
	FAILS(t.shutdown(U, fd, 7), EINVAL);
	FAILS(t.splice(U, fd, NULL, fd, NULL, 1, 0), EINVAL);
	FAILS(t.socket(U, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(t.socket(U, AF_INET, SOCK_DGRAM, 0), EOPNOTSUPP);
	/* Packets that are none do no harm. */
	memset(buffer, 0xff, 2000);
	IS(t.netdev_send(U, buffer, 1), 0);
	IS(t.netdev_send(U, buffer, 2000), 0);
	buffer[0] = 0x45;
	IS(t.netdev_send(U, buffer, 2000), 0);
	IS(t.close(U, fd), 0);
	FAILS(t.close(U, fd), EBADF);
	/* Without the library's data. */
	FAILS(t.socket(NULL, AF_INET, SOCK_STREAM, 0), EFAULT);
	t.free(NULL);
	end();
}

/* Control messages and the error queue, whose times are on the library's clock. */
static void test_messages(void)
{
	struct peer p;
	begin("sysctls=own");
	int fd = accepted(&p), on = 1, left = -1;
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct iovec piece = { buffer, 100 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof control };
	IS(t.setsockopt(U, fd, IPPROTO_TCP, 36 /* TCP_INQ */, &on, sizeof on), 0);
	inject(&p, ACK | PSH, 1, 1, 300);
	expect(&p, ACK, 1, 301, 0);
	IS(t.recvmsg(U, fd, &message, 0), 100);
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	CHECK(c && c->cmsg_level == IPPROTO_TCP && c->cmsg_type == 36 && c->cmsg_len == CMSG_LEN(sizeof left));
	memcpy(&left, CMSG_DATA(c), sizeof left);
	IS(left, 200);
	CHECK(message.msg_controllen == CMSG_SPACE(sizeof left) && CMSG_NXTHDR(&message, c) == NULL);
	IS(message.msg_flags, 0);
	/* Room for a half of it, and for nothing. */
	message.msg_controllen = CMSG_LEN(2);
	IS(t.recvmsg(U, fd, &message, 0), 100);
	IS(message.msg_flags, MSG_CTRUNC);
	IS(message.msg_controllen, CMSG_LEN(2));
	message.msg_control = NULL;
	message.msg_controllen = 0;
	IS(t.recvmsg(U, fd, &message, 0), 100);
	IS(message.msg_flags, MSG_CTRUNC);
	/* A byte is stamped when it leaves. */
	FAILS(t.recvmsg(U, fd, &message, MSG_ERRQUEUE), EAGAIN);
	int stamping = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
	IS(t.setsockopt(U, fd, SOL_SOCKET, SO_TIMESTAMPING, &stamping, sizeof stamping), 0);
	long long before = now(), stamp;
	write_pattern(fd, 1, 100);
	long long sent = expect(&p, ACK, 1, 301, 100)->at;
	struct pollfd one = { .fd = fd, .events = POLLOUT };
	IS(t.poll(U, &one, 1, -1), 1);
	IS(one.revents, POLLOUT | POLLERR);
	struct sockaddr_in name = { 0 };
	message = (struct msghdr){ .msg_name = &name, .msg_namelen = sizeof name, .msg_control = control.bytes,
				   .msg_controllen = sizeof control };
	CHECK(t.recvmsg(U, fd, &message, MSG_ERRQUEUE) >= 0);
	CHECK(message.msg_flags & MSG_ERRQUEUE);
	struct scm_timestamping times;
	struct sock_extended_err error;
	int seen = 0;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
			memcpy(&times, CMSG_DATA(c), sizeof times);
			stamp = times.ts[0].tv_sec * 1000000LL + times.ts[0].tv_nsec / 1000;
			CHECK(stamp >= before && stamp <= sent);
			seen |= 1;
		} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) {
			memcpy(&error, CMSG_DATA(c), sizeof error);
			IS(error.ee_errno, ENOMSG);
			IS(error.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
			IS(error.ee_info, SCM_TSTAMP_SND);
			IS(error.ee_data, 99);
			seen |= 2;
		}
	}
	IS(seen, 3);
	FAILS(t.recvfrom(U, fd, buffer, 100, MSG_ERRQUEUE, NULL, NULL), EAGAIN);
	inject(&p, ACK, 301, 101, 0);
	/* sendmsg() brings its own wish for a stamp. */
	message = (struct msghdr){ .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
				   .msg_controllen = CMSG_SPACE(sizeof stamping) };
	memset(&control, 0, sizeof control);
	c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SO_TIMESTAMPING;
	c->cmsg_len = CMSG_LEN(sizeof stamping);
	stamping = SOF_TIMESTAMPING_TX_ACK;
	memcpy(CMSG_DATA(c), &stamping, sizeof stamping);
	fill(buffer, 101, 100);
	IS(t.sendmsg(U, fd, &message, 0), 100);
	expect(&p, ACK, 101, 301, 100);
	FAILS(t.recv(U, fd, buffer, 100, MSG_ERRQUEUE), EAGAIN);
	inject(&p, ACK, 301, 201, 0);
	socklen_t len = sizeof name;
	CHECK(t.recvfrom(U, fd, buffer, 100, MSG_ERRQUEUE, (struct sockaddr *)&name, &len) >= 0);
	IS(len, sizeof name);
	end();
}

/* With the object in LD_PRELOAD the C library's own getsockopt knows descriptors of the stack, and all others. */
static void test_preload(void)
{
	struct peer p;
	int value = -1, host = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof value;
	begin("sysctls=own");
	int fd = accepted(&p);
	unsigned char info[512] = { 0 };
	IS(getsockopt(fd, IPPROTO_TCP, 2 /* TCP_MAXSEG */, &value, &len), 0);
	IS(value, 1000);
	len = sizeof info;
	IS(getsockopt(fd, IPPROTO_TCP, 11 /* TCP_INFO */, info, &len), 0);
	IS(info[0], 1 /* TCP_ESTABLISHED */);
	CHECK(len >= 232);
	len = sizeof info;
	IS(getsockopt(fd, IPPROTO_TCP, 26 /* TCP_CC_INFO */, info, &len), 0);
	len = sizeof info;
	IS(getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, info, &len), 0);
	IS(len, 36);
	len = sizeof value;
	FAILS(getsockopt(fd, IPPROTO_TCP, 9999, &value, &len), ENOPROTOOPT);
	IS(getsockopt(host, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	IS(value, SOCK_STREAM);
	FAILS(getsockopt(9999, SOL_SOCKET, SO_TYPE, &value, &len), EBADF);
	/* A number that was closed and is the host's now is the host's. */
	IS(close(fd), 0);
	IS(dup2(host, fd), fd);
	IS(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	FAILS(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, info, &len), ENOTCONN);
	end();
	CHECK(fcntl(fd, F_GETFD) != -1);
	close(fd);
	close(host);
}

/* Descriptors are the kernel's too, and the tool may close them behind the library's back. */
static void test_handles(void)
{
	struct peer p, q;
	int ends[2], kept;
	begin("sysctls=own");
	int lowest = dup(0), fd;
	close(lowest);
	fd = listener(LOCAL);
	IS(fd, lowest);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	IS(t.close(U, fd), 0);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	fd = accepted(&p);
	IS(t.pipe(U, ends), 0);
	CHECK(fcntl(ends[0], F_GETFD) != -1 && fcntl(ends[1], F_GETFD) != -1 && ends[0] != ends[1]);
	/* A copy under a high number keeps the connection. */
	kept = t.fcntl(U, fd, F_DUPFD, 200);
	IS(kept, 200);
	IS(t.close(U, fd), 0);
	write_pattern(kept, 1, 100);
	expect(&p, ACK, 1, 1, 100);
	inject(&p, ACK, 1, 101, 0);
	/* The tool's own close at the end of a run. When the number comes again, what it was is closed. */
	IS(close(kept), 0);
	fd = accepted(&q);
	int again = t.fcntl(U, fd, F_DUPFD, 200);
	IS(again, 200);
	expect(&p, FIN | ACK, 101, 1, 0);
	/* A number that is something else by now is left alone. */
	IS(close(again), 0);
	IS(dup2(0, again), again);
	end();
	CHECK(fcntl(again, F_GETFD) != -1);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	CHECK(fcntl(ends[0], F_GETFD) == -1 && fcntl(ends[1], F_GETFD) == -1);
	close(again);
}

/* The clock goes on with every look, sleep sleeps, and receiving gives up at its limit. */
static void test_clock(void)
{
	struct timeval wall;
	struct timezone zone;
	begin("receive_limit=0.2");
	gettimeofday(&wall, NULL);
	long long start = now(), later;
	CHECK(llabs(start - (wall.tv_sec * 1000000LL + wall.tv_usec)) < 3600000000LL);
	do
		later = now();
	while (later == start);
	CHECK(later > start);
	IS(t.gettimeofday(U, &wall, &zone), 0);
	IS(t.gettimeofday(U, NULL, NULL), 0);
	start = now();
	IS(t.usleep(U, 20000), 0);
	CHECK(now() >= start + 20000);
	size_t len = sizeof buffer;
	long long at = 0;
	start = now();
	IS(t.netdev_receive(U, buffer, &len, &at), 0);
	IS(len, 0);
	CHECK(now() >= start + 200000);
	/* Without a place for the length there is no answer. */
	IS(t.netdev_receive(U, buffer, NULL, &at), -1);
	end();
	/* Receiving sleeps, and a packet wakes it. */
	begin("receive_limit=60,sysctls=own");
	int fd = t.socket(U, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	static struct sleeper s;
	sleeper_start(&s, call_receive, fd);
	FAILS(connect_to(fd, REMOTE, 8080), EINPROGRESS);
	CHECK(sleeper_result(&s) >= 40);
	/* A packet for which there is no room is cut. It comes again by itself: a SYN nobody answers. */
	len = 20;
	IS(t.netdev_receive(U, buffer, &len, &at), 0);
	IS(len, 20);
	IS(buffer[0], 0x45);
	sleeper_start(&s, call_receive, fd);
	end();
	IS(sleeper_result(&s), 0);
}

/* --so_flags. */
static void test_flags(void)
{
	begin("sysctls=own,mtu=600,local=10.9.8.7,local=fd00::9,sysctl.tcp_sack=0,sysctl.tcp_timestamps=0");
	int fd = t.socket(U, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(bind_to(fd, LOCAL, 8080), EADDRNOTAVAIL);
	FAILS(connect_to(fd, REMOTE, 8080), EINPROGRESS);
	struct peer p = peer_to("10.9.8.7", 0, REMOTE);
	p.remote_port = 8080;
	struct segment *s = expect(&p, SYN, 0, 0, 0);
	/* MSS 560, and no option for SACK or timestamps. */
	CHECK(s->options_len == 8 && memcmp(s->options, "\2\4\2\60\1\3\3\12", 8) == 0);
	end();
	/* With room for one packet nothing is lost: the others wait in the stack. */
	begin("sysctls=own,queue=1");
	fd = accepted(&p);
	write_pattern(fd, 1, 10000);
	for (int i = 0; i < 10; i++)
		expect(&p, ACK, 1 + 1000 * i, 1, 1000);
	end();
	/* What cannot be used is refused, and the tool ends. */
	const char *const bad[] = { "mtu=9", "nonsense=1", "sysctl.tcp_sack=999", "\xff=1" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t len = sizeof buffer;
		long long at, start;
		begin(bad[i]);
		FAILS(t.socket(U, AF_INET, SOCK_STREAM, 0), EINVAL);
		FAILS(t.netdev_send(U, buffer, 40), EINVAL);
		FAILS(t.close(U, 0), EINVAL);
		IS(t.netdev_receive(U, buffer, &len, &at), 0);
		IS(len, 0);
		IS(t.usleep(U, 1), 0);
		for (start = now(); now() == start;)
			;
		end();
	}
}

/* Leaves the machine's network for an empty one of this process alone, as root or in a user namespace. */
static int in_own_network(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static int wrote(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
	FILE *file = fopen(path, "w");
	if (file == NULL)
		return 0;
	int good = fputs(text, file) >= 0;
	return fclose(file) == 0 && good;
}

static size_t options_of_syn(void)
{
	int fd = t.socket(U, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(connect_to(fd, REMOTE, 8080), EINPROGRESS);
	struct peer p = peer_to(LOCAL, 0, REMOTE);
	p.remote_port = 8080;
	size_t len = expect(&p, SYN, 0, 0, 0)->options_len;
	IS(t.close(U, fd), 0);
	return len;
}

/* The settings of the network namespace act on the stack from the next socket on. */
static void test_host(void)
{
	/* Nothing is written unless the namespace was made here. */
	if (!in_own_network()) {
		fprintf(stderr, "SKIPPED: there is no network namespace to be had\n");
		exit(77);
	}
	if (!wrote("tcp_timestamps", "1") || !wrote("tcp_sack", "1") || !wrote("tcp_window_scaling", "1")) {
		fprintf(stderr, "SKIPPED: settings cannot be written here\n");
		exit(77);
	}
	/* A setting that was given stays; the others follow. */
	begin("sysctl.tcp_window_scaling=0,verbose");
	IS(options_of_syn(), 4 + 16 - 4); /* mss; sackOK and TS in 12 */
	CHECK(wrote("tcp_timestamps", "0"));
	IS(options_of_syn(), 8);
	CHECK(wrote("tcp_sack", "0"));
	IS(options_of_syn(), 4);
	end();
	begin("sysctls=own");
	IS(options_of_syn(), 20);
	end();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "layout", test_layout },
	{ "calls", test_calls },
	{ "messages", test_messages },
	{ "preload", test_preload },
	{ "handles", test_handles },
	{ "clock", test_clock },
	{ "flags", test_flags },
	{ "host", test_host },
	{ "passive", play_passive },
	{ "active", play_active },
	{ "refused", play_refused },
	{ "delayed_ack", play_delayed_ack },
	{ "rto", play_rto },
	{ "fast_retransmit", play_fast_retransmit },
	{ "close_active", play_close_active },
	{ "close_passive", play_close_passive },
	{ "close_simultaneous", play_close_simultaneous },
	{ "reset", play_reset },
	{ "readiness", play_readiness },
	{ "splice", play_splice },
	{ "blocking", play_blocking },
	{ "families", play_families },
	{ "large", play_large },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc < 3)
		FAIL("usage: driver OBJECT TEST...");
	open_object(argv[1]);
	for (int i = 2; i < argc; i++) {
		size_t at = 0, count = sizeof tests / sizeof *tests;
		while (at < count && strcmp(tests[at].name, argv[i]) != 0)
			at++;
		if (at == count)
			FAIL("there is no test %s", argv[i]);
		tests[at].run();
		printf("ok %s\n", argv[i]);
	}
	return 0;
}
