//! An echo server on a TUN device.
//!
//! ```text
//! sudo cargo run -p cauce --example echo_server &
//! sudo ip address add 10.77.0.1/24 dev cauce0
//! nc 10.77.0.2 7
//! ```

use cauce::device::tun::{Tun, TunOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = TunOptions { name: "cauce0".into(), ..TunOptions::default() };
    let Some(tun) = open(&options) else { return Ok(()) };
    let net = cauce::Netstack::builder().address("10.77.0.2/24").device(tun).build()?;
    let listener = cauce::TcpListener::bind(&net, "10.77.0.2:7").await?;
    println!("echoing on {}; now: ip address add 10.77.0.1/24 dev cauce0", listener.local_addr()?);
    loop {
        let (mut stream, peer) = listener.accept().await?;
        println!("{peer}");
        tokio::spawn(async move {
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
    }
}

/// Without the privilege, says what is missing.
fn open(options: &TunOptions) -> Option<Tun> {
    match Tun::open(options) {
        Ok(queues) => queues.into_iter().next(),
        Err(error) => {
            eprintln!("{error}");
            None
        }
    }
}
