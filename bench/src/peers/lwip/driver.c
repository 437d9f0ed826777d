/* Two ends of a connection on one lwIP stack. What its interface sends is copied once, as a device would, and
 * given back to it when its turn comes. Every function returns 0, or the number of the line that went wrong. */
#include <string.h>
#include <time.h>

#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)
#define QUEUE 8192
#define CHUNK 65535

static struct pbuf *queue[QUEUE];
static unsigned queue_head, queue_tail;
static struct netif wires[2];
static struct tcp_pcb *listener, *client, *server;
static size_t arrived;
static int client_ended, server_ended, connected;
static unsigned char source[CHUNK], sink[CHUNK];

u32_t sys_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static err_t output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to) {
    struct pbuf *copy;
    (void)netif;
    (void)to;
    if (queue_tail - queue_head == QUEUE) return ERR_BUF;
    copy = pbuf_clone(PBUF_RAW, PBUF_RAM, packet);
    if (copy == NULL) return ERR_MEM;
    queue[queue_tail++ % QUEUE] = copy;
    return ERR_OK;
}

static err_t wire_up(struct netif *netif) {
    netif->output = output;
    netif->mtu = 1500;
    netif->flags |= NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* Delivers what waits; what is sent meanwhile waits for the next turn. */
static void turn(void) {
    unsigned end = queue_tail;
    while (queue_head != end) {
        struct pbuf *packet = queue[queue_head++ % QUEUE];
        if (ip4_input(packet, &wires[0]) != ERR_OK) pbuf_free(packet);
    }
}

static err_t received(void *who, struct tcp_pcb *pcb, struct pbuf *data, err_t error) {
    (void)error;
    if (data == NULL) {
        *(int *)who = 1;
        return ERR_OK;
    }
    for (u16_t done = 0; done < data->tot_len;) {
        u16_t part = LWIP_MIN(data->tot_len - done, CHUNK);
        pbuf_copy_partial(data, sink, part, done);
        done += part;
    }
    arrived += data->tot_len;
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t error) {
    (void)arg;
    if (error != ERR_OK) return error;
    server = pcb;
    tcp_arg(pcb, &server_ended);
    tcp_recv(pcb, received);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

static err_t established(void *arg, struct tcp_pcb *pcb, err_t error) {
    (void)arg;
    (void)pcb;
    connected = error == ERR_OK;
    return ERR_OK;
}

/* Begins; once in the life of the process. */
int bench_lwip_init(void) {
    ip4_addr_t address, mask, none;
    lwip_init();
    IP4_ADDR(&mask, 255, 0, 0, 0);
    ip4_addr_set_zero(&none);
    for (int which = 0; which < 2; which++) {
        IP4_ADDR(&address, 10, 9, 0, 1 + which);
        CHECK(netif_add(&wires[which], &address, &mask, &none, NULL, wire_up, ip4_input) != NULL);
        netif_set_up(&wires[which]);
    }
    listener = tcp_new();
    CHECK(listener != NULL && tcp_bind(listener, &wires[1].ip_addr, 5001) == ERR_OK);
    listener = tcp_listen_with_backlog(listener, 128);
    CHECK(listener != NULL);
    tcp_accept(listener, accepted);
    memset(source, 0x5a, sizeof source);
    return 0;
}

/* Connects the first address to the second. */
int bench_lwip_connect(void) {
    server = NULL;
    client_ended = server_ended = connected = 0;
    client = tcp_new();
    CHECK(client != NULL && tcp_bind(client, &wires[0].ip_addr, 0) == ERR_OK);
    tcp_arg(client, &client_ended);
    tcp_recv(client, received);
    tcp_nagle_disable(client);
    CHECK(tcp_connect(client, &wires[1].ip_addr, 5001, established) == ERR_OK);
    for (int round = 0; round < 8 && (!connected || server == NULL); round++) turn();
    CHECK(connected && server != NULL);
    return 0;
}

/* Closes from the client's side and then from the server's. TIME-WAIT ends at once where `forget` is set. */
int bench_lwip_close(int forget) {
    CHECK(tcp_close(client) == ERR_OK);
    turn();
    CHECK(server_ended);
    CHECK(tcp_close(server) == ERR_OK);
    for (int round = 0; round < 4; round++) turn();
    if (forget) {
        while (tcp_tw_pcbs != NULL) tcp_abort(tcp_tw_pcbs);
    }
    return 0;
}

/* Moves at least `bytes` from the client to the server. */
int bench_lwip_transfer(size_t bytes) {
    unsigned idle = 0;
    arrived = 0;
    while (arrived < bytes) {
        size_t before = arrived;
        while (tcp_sndbuf(client) > 0) {
            u16_t part = (u16_t)LWIP_MIN(tcp_sndbuf(client), CHUNK);
            if (tcp_write(client, source, part, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
        }
        CHECK(tcp_output(client) == ERR_OK);
        turn();
        turn();
        sys_check_timeouts();
        idle = arrived == before ? idle + 1 : 0;
        CHECK(idle < 10000000);
    }
    return 0;
}

/* One byte there and one back, `count` times. */
int bench_lwip_round_trips(size_t count) {
    struct tcp_pcb *ends[2] = {client, server};
    for (size_t trip = 0; trip < 2 * count; trip++) {
        struct tcp_pcb *from = ends[trip % 2];
        arrived = 0;
        CHECK(tcp_write(from, source, 1, TCP_WRITE_FLAG_COPY) == ERR_OK);
        CHECK(tcp_output(from) == ERR_OK);
        turn();
        CHECK(arrived == 1);
        if (trip % 256 == 0) sys_check_timeouts();
    }
    return 0;
}
