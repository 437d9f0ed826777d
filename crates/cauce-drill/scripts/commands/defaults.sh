#!/bin/bash
# A known state, as suites of scripts begin with.
ip tcp_metrics flush all > /dev/null 2>&1

sysctl -q net.ipv4.tcp_rmem="4096 540000 $((15 * 1024 * 1024))"
sysctl -q net.ipv4.tcp_wmem="4096 $((256 * 1024)) 4194304"
sysctl -q net.ipv4.tcp_timestamps=0
sysctl -q net.ipv4.tcp_sack=1 net.ipv4.tcp_window_scaling=0

tc qdisc replace dev tun0 root pfifo
