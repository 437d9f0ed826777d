use super::*;
use crate::tools::connected_stack;

fn services(path: &str) -> std::io::Result<String> {
    match path {
        "/etc/services" => Ok("http-alt 8080/tcp webcache\n".to_owned()),
        "filter" => Ok("sport = :http-alt\nand src 192.168.0.1\n".to_owned()),
        "states" => Ok("state listening".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

fn ask(words: &[&str]) -> String {
    let (stack, now) = connected_stack(b"twelve bytes");
    let output = run(&stack, now, words, &services);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{words:?}");
    output.stdout
}

/// fields in the columns of the real one, for `awk`.
#[test]
fn lines_are_the_real_ones() {
    let text = ask(&["-tan"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process".split(' ').collect::<Vec<_>>()
    );
    assert_eq!(lines[1], ["LISTEN", "0", "5", "0.0.0.0:8080", "0.0.0.0:*"]);
    assert_eq!(lines[2][..4], ["ESTAB", "0", "12", "192.168.0.1:8080"]);
    assert_eq!(ask(&["-tn"]).lines().count(), 2, "without -a no listener");
    assert_eq!(ask(&["-Htln"]).lines().count(), 1);
    assert_eq!(ask(&["-t", "-6", "-a"]).lines().count(), 1);
    assert!(ask(&["-a"]).lines().nth(1).is_some_and(|line| line.starts_with("tcp   LISTEN")));
}

#[test]
fn options_add_what_is_known() {
    let text = ask(&["-tioemn"]);
    let below = text.lines().nth(2).unwrap();
    // As the kernel counts: what a packet costs beside its bytes, and whole pages.
    assert!(below.contains(",f3252,w844,o0,"), "{below}");
    assert!(below.starts_with("\t skmem:(r0,rb131072,t0,tb"), "{below}");
    for part in [
        " ts sack cubic wscale:",
        " rto:",
        " mss:1448",
        " cwnd:10 ",
        " bytes_sent:12 ",
        " unacked:1 ",
        " snd_wnd:",
    ] {
        assert!(below.contains(part), "{part} in {below}");
    }
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains("timer:(on,") && line.ends_with(" <->"), "{line}");
    assert_eq!(ask(&["-tiO"]).lines().count(), 2);
    assert!(ask(&["-s"]).contains("(estab 1, closed 0, orphaned 0, timewait 0)"));
}

#[test]
fn filters_choose() {
    for (words, count) in [
        (&["state", "listening"][..], 1),
        (&["state", "listening", "state", "established"], 2),
        (&["state", "connected"], 1),
        (&["exclude", "established"], 1),
        (&["sport", "=", ":8080"], 2),
        (&["sport", "=", "8080", "and", "dst", "192.0.2.0/24"], 1),
        (&["(", "dport", "gt", ":1", "or", "sport", "=", ":1", ")", "src", "192.168.0.1:8080"], 1),
        (&["not", "dst", "192.0.2.1"], 1),
        (&["dst = 192.0.2.1 and sport = :8080"], 1),
        (&["( dport = :http-alt or sport = :webcache )"], 2),
        (&["sport", "http-alt"], 2),
        (&["src", "192.168.0.1:http-alt"], 1),
        (&["src", "inet:"], 2),
        (&["src", "inet6:*"], 0),
        (&["dst", "inet:192.0.2.1"], 1),
        (&["dst", "192.0/16"], 1),
        (&["dst", "192/8"], 1),
        (&["dst", "192.1/16"], 0),
        (&["dst", "any"], 2),
        (&["state", "LISTENING"], 1),
        (&["state", "Established"], 1),
        (&["dev", "tun0"], 0),
        (&["dev", "!=", "tun0"], 2),
        (&["fwmark", "=", "0x7"], 0),
        (&["fwmark", "!=", "7"], 2),
        (&["fwmark", "0/0xff"], 2),
        (&["autobound"], 0),
        (&["-F", "filter"], 1),
        (&["-F", "filter", "sport", "=", ":1"], 0),
        (&["--filter=filter", "state", "listening"], 0),
        (&["-A", "tcp"], 2),
        (&["-f", "inet6"], 0),
        (&["--family=inet"], 2),
        (&["-e"], 2),
    ] {
        let mut all = vec!["-Htan"];
        all.extend(words);
        assert_eq!(ask(&all).lines().count(), count, "{words:?}");
    }
    let one = ask(&["-Htn", "state", "established"]);
    assert!(one.starts_with("0 12 192.168.0.1:8080 "), "one state needs no column: {one}");
    let (stack, now) = connected_stack(b"");
    for wrong in [
        &["state", "bogus"][..],
        &["sport", "~", "1"],
        &["dst"],
        &["dst", "nowhere.example"],
        &["dst", "!=", "192.0.2.1"],
        &["sport", "=", ":nosuch"],
        &["dst", "1.2.3.4.5/8"],
        &["fwmark", "x"],
        &["-F", "nosuch"],
        &["-F", "states"],
        &["-A", "nosuch"],
        &["-f", "nosuch"],
        &["-F"],
        &["(", "sport", "=", "1"],
    ] {
        assert_eq!(run(&stack, now, wrong, &services).status, 255, "{wrong:?}");
    }
    assert_eq!(run(&stack, now, &["-K"], &services).problems.len(), 1);
}

/// What SO_MARK, SO_BINDTODEVICE, IP_TOS and SO_PRIORITY say, and filters by them.
#[test]
fn marks_and_devices() {
    use cauce_core::socket::options::SocketOption;
    let (mut stack, now) = connected_stack(b"");
    let id = stack
        .listing(now)
        .find(|listed| listed.state == State::Established)
        .and_then(|listed| listed.id)
        .unwrap();
    let device = stack.device_named("tun0");
    let options = [
        SocketOption::Mark(0x1234),
        SocketOption::BindToDevice(device),
        SocketOption::Tos(0x20),
        SocketOption::Priority(5),
    ];
    for option in options {
        stack.socket(id).set_option(now, option).unwrap();
    }
    let ask = |words: &str| run(&stack, now, &words.split(' ').collect::<Vec<_>>(), &services).stdout;
    let text = ask("-Htne --tos");
    assert!(text.contains(" 192.168.0.1%tun0:8080 ") && text.contains(" fwmark:0x1234 "), "{text}");
    assert!(text.contains("tos:0x20 class_id:0x5"), "{text}");
    for (words, count) in [
        ("dev tun0", 1),
        ("dev = 2", 1),
        ("not dev tun0", 1),
        ("fwmark 0x1234", 1),
        ("fwmark = 4660", 1),
        ("fwmark = 0x34/0xff", 1),
        ("fwmark = 0x1234/0xff", 0),
    ] {
        assert_eq!(ask(&format!("-Htan {words}")).lines().count(), count, "{words}");
    }
}

#[test]
fn tables_of_other_sockets_are_empty() {
    let (stack, now) = connected_stack(b"");
    let ask = |words: &str| run(&stack, now, &words.split(' ').collect::<Vec<_>>(), &services);
    assert_eq!(ask("-A inet -Ha").stdout.lines().count(), 2);
    assert_eq!(ask("-A tcp,udp -a").stdout.lines().next().map(|line| &line[..6]), Some("Netid "));
    assert_eq!(ask("-A unix -Ha").stdout, "");
    let none = ask("-A tcp,!tcp");
    assert_eq!((none.status, none.stderr.as_str()), (0, "ss: no socket tables to show with such filter.\n"));
    assert_eq!(files(&["-tan"]), Vec::<String>::new());
    assert_eq!(files(&["-taF", "x", "-n"]), ["x", "/etc/services"]);
    assert_eq!(files(&["-t", "sport", "=", ":80"]), ["/etc/services"]);
}
