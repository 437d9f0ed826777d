/* The other side of a connection: it builds and reads packets, and verifies every checksum. */
#ifndef PEER_H
#define PEER_H

#include "table.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct peer {
	int v6;
	/* Of the stack, and of this side. */
	unsigned char local[16], remote[16];
	uint16_t local_port, remote_port;
	/* Initial sequence numbers: this side's, and the stack's once it is known. */
	uint32_t iss, irs;
	int knows_irs;
	/* The end of what the stack has sent, relative. */
	uint32_t seen;
};

struct segment {
	int flags;
	/* Relative to the initial sequence numbers. */
	uint32_t seq, ack;
	unsigned window;
	size_t len, options_len;
	unsigned char options[40];
	unsigned char payload[65536];
	long long at;
};

static uint16_t next_port = 40000;

static struct peer peer_to(const char *local, uint16_t local_port, const char *remote)
{
	struct peer p = { .v6 = strchr(local, ':') != NULL, .local_port = local_port };
	int family = p.v6 ? AF_INET6 : AF_INET;
	IS(inet_pton(family, local, p.local), 1);
	IS(inet_pton(family, remote, p.remote), 1);
	p.remote_port = next_port++;
	p.iss = 0xfffffff0u + p.remote_port; /* it wraps on the way */
	return p;
}

static uint32_t add(uint32_t sum, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		sum += bytes[i] << 8 | bytes[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len % 2)
		sum += bytes[len - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* The sum of a TCP segment between two addresses: 0 when its checksum is right. */
static uint16_t tcp_sum(int v6, const unsigned char *src, const unsigned char *dst, const unsigned char *tcp,
			size_t len)
{
	size_t size = v6 ? 16 : 4;
	uint32_t sum = add(add(0, src, size), dst, size);
	return finish(add(sum + IPPROTO_TCP + (len >> 16) + (len & 0xffff), tcp, len));
}

static void put16(unsigned char *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(unsigned char *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static unsigned get16(const unsigned char *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* Injects a segment whose payload is the pattern of its place in the stream. */
static void inject_with(struct peer *p, int flags, uint32_t seq, uint32_t ack, unsigned window,
			const unsigned char *options, size_t options_len, size_t len)
{
	static unsigned char packet[65600];
	size_t ip = p->v6 ? 40 : 20, header = 20 + options_len, total = ip + header + len;
	unsigned char *tcp = packet + ip;
	CHECK(total <= 65535 && options_len % 4 == 0);
	memset(packet, 0, ip + 20);
	if (p->v6) {
		packet[0] = 0x60;
		put16(packet + 4, header + len);
		packet[6] = IPPROTO_TCP;
		packet[7] = 255;
		memcpy(packet + 8, p->remote, 16);
		memcpy(packet + 24, p->local, 16);
	} else {
		packet[0] = 0x45;
		put16(packet + 2, total);
		packet[8] = 255;
		packet[9] = IPPROTO_TCP;
		memcpy(packet + 12, p->remote, 4);
		memcpy(packet + 16, p->local, 4);
		put16(packet + 10, finish(add(0, packet, 20)));
	}
	put16(tcp, p->remote_port);
	put16(tcp + 2, p->local_port);
	put32(tcp + 4, p->iss + seq);
	put32(tcp + 8, flags & ACK ? p->irs + ack : 0);
	tcp[12] = header / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, window);
	if (options_len)
		memcpy(tcp + 20, options, options_len);
	fill(tcp + header, seq, len);
	put16(tcp + 16, tcp_sum(p->v6, p->remote, p->local, tcp, header + len));
	IS(t.netdev_send(U, packet, total), 0);
}

static void inject(struct peer *p, int flags, uint32_t seq, uint32_t ack, size_t len)
{
	inject_with(p, flags, seq, ack, 257, NULL, 0, len);
}

/* The next packet of the stack. False when none came within the library's limit. */
static int receive(struct peer *p, struct segment *s)
{
	static unsigned char packet[65536];
	size_t len = sizeof packet;
	long long asked = now();
	memset(s, 0, sizeof *s);
	IS(t.netdev_receive(U, packet, &len, &s->at), 0);
	if (len == 0)
		return 0;
	CHECK(s->at <= now() && s->at > asked - 60000000);
	size_t ip = p->v6 ? 40 : 20;
	unsigned char *tcp = packet + ip;
	CHECK(len >= ip + 20);
	if (p->v6) {
		IS(packet[0] >> 4, 6);
		IS(get16(packet + 4) + 40, (long long)len);
		IS(packet[6], IPPROTO_TCP);
		CHECK(memcmp(packet + 8, p->local, 16) == 0 && memcmp(packet + 24, p->remote, 16) == 0);
	} else {
		IS(packet[0], 0x45);
		IS(get16(packet + 2), (long long)len);
		IS(packet[9], IPPROTO_TCP);
		IS(finish(add(0, packet, 20)), 0);
		CHECK(memcmp(packet + 12, p->local, 4) == 0 && memcmp(packet + 16, p->remote, 4) == 0);
	}
	IS(tcp_sum(p->v6, p->local, p->remote, tcp, len - ip), 0);
	IS(get16(tcp + 2), p->remote_port);
	/* The port of a stack that connects is its own choice. */
	if (p->local_port == 0)
		p->local_port = get16(tcp);
	IS(get16(tcp), p->local_port);
	size_t header = tcp[12] / 16 * 4;
	CHECK(header >= 20 && ip + header <= len);
	s->flags = tcp[13];
	if (!p->knows_irs && s->flags & SYN) {
		p->irs = get32(tcp + 4);
		p->knows_irs = 1;
	}
	s->seq = get32(tcp + 4) - p->irs;
	s->ack = s->flags & ACK ? get32(tcp + 8) - p->iss : 0;
	s->window = get16(tcp + 14);
	s->options_len = header - 20;
	memcpy(s->options, tcp + 20, s->options_len);
	s->len = len - ip - header;
	memcpy(s->payload, tcp + header, s->len);
	/* Byte 0 of the stack's stream has sequence number 1. */
	if (s->len)
		CHECK(is_pattern(s->payload, s->seq, s->len));
	return 1;
}

/* Waits for a segment. On a slow machine bare acknowledgements and repetitions come between; those are passed
 * over, unless they are what is waited for. */
static struct segment *expect(struct peer *p, int flags, uint32_t seq, uint32_t ack, size_t len)
{
	static struct segment s;
	while (receive(p, &s)) {
		uint32_t end = s.seq + s.len + !!(s.flags & (SYN | FIN));
		if ((s.flags & ~PSH) == (flags & ~PSH) && s.seq == seq && s.ack == ack && s.len == len) {
			if ((int32_t)(end - p->seen) > 0)
				p->seen = end;
			return &s;
		}
		int bare = s.flags == ACK && s.len == 0;
		int again = !(s.flags & RST) && end != s.seq && (int32_t)(end - p->seen) <= 0;
		if (!bare && !again)
			FAIL("flags %#x %u(%zu) ack %u came instead of flags %#x %u(%zu) ack %u", s.flags, s.seq,
			     s.len, s.ack, flags, seq, len, ack);
	}
	FAIL("flags %#x %u(%zu) ack %u never came", flags, seq, len, ack);
}

static const unsigned char SYN_OPTIONS[] = {
	2, 4, 1000 >> 8, 1000 & 255, /* mss 1000 */
	1, 1, 4, 2,		     /* sackOK */
	1, 3, 3, 7,		     /* wscale 7 */
};

static struct sockaddr_storage address(const char *ip, uint16_t port, socklen_t *len)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *v4 = (void *)&storage;
	struct sockaddr_in6 *v6 = (void *)&storage;
	if (strchr(ip, ':')) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		IS(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
		*len = sizeof *v6;
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		IS(inet_pton(AF_INET, ip, &v4->sin_addr), 1);
		*len = sizeof *v4;
	}
	return storage;
}

static int bind_to(int fd, const char *ip, uint16_t port)
{
	socklen_t len;
	struct sockaddr_storage to = address(ip, port, &len);
	return t.bind(U, fd, (struct sockaddr *)&to, len);
}

static int connect_to(int fd, const char *ip, uint16_t port)
{
	socklen_t len;
	struct sockaddr_storage to = address(ip, port, &len);
	return t.connect(U, fd, (struct sockaddr *)&to, len);
}

static int listener(const char *ip)
{
	int on = 1, fd = t.socket(U, strchr(ip, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP);
	CHECK(fd >= 0);
	IS(t.setsockopt(U, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	IS(bind_to(fd, ip, 8080), 0);
	IS(t.listen(U, fd, 16), 0);
	return fd;
}

/* The handshake of a peer that connects, up to where accept() returns. */
static void handshake(struct peer *p)
{
	inject_with(p, SYN, 0, 0, 32792, SYN_OPTIONS, sizeof SYN_OPTIONS, 0);
	struct segment *s = expect(p, SYN | ACK, 0, 1, 0);
	CHECK(s->options_len >= 4 && s->options[0] == 2 && s->options[1] == 4);
	inject(p, ACK, 1, 1, 0);
}

static const char LOCAL[] = "192.168.0.1", REMOTE[] = "192.0.2.1";

/* A connection that the stack has accepted, and the peer at its other end. */
static int accepted(struct peer *p)
{
	int fd = listener(LOCAL);
	*p = peer_to(LOCAL, 8080, REMOTE);
	handshake(p);
	int child = t.accept(U, fd, NULL, NULL);
	CHECK(child >= 0);
	IS(t.close(U, fd), 0);
	return child;
}

#endif
