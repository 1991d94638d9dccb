//! A PostgreSQL for tests, and a way to it that can be cut. With
//! `EAGLEEYE_TEST_POSTGRES=postgres://user:password@host:port/database` set, each test makes a database of its own there and
//! leaves it; without, there is nothing to test. The server's tests include this file.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use eagleeye_store::Uuid;

/// The way to the database; it can be cut.
pub struct Cable {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    pub fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_cut, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let cable = Self { port, is_cut: is_cut.clone(), ends: ends.clone() };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&target) else { continue };
                ends.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                pump(near.try_clone().unwrap(), far.try_clone().unwrap());
                pump(far, near);
            }
        });
        cable
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
            && to.write_all(&buffer[..count]).is_ok()
        {}
        let _ = to.shutdown(Shutdown::Both);
    });
}

pub fn not_tested() {
    eprintln!("not tested: EAGLEEYE_TEST_POSTGRES names no PostgreSQL");
}

/// A database server, and a database of this test's own on it.
pub struct Postgres {
    /// `postgres://user:password`.
    account: String,
    /// `host:port`.
    pub host: String,
    database: String,
}

impl Postgres {
    /// Nothing where there is no server.
    pub fn new() -> Option<Self> {
        let server = std::env::var("EAGLEEYE_TEST_POSTGRES").ok()?;
        let database = format!("eagleeye_test_{}", Uuid::now_v7().simple());
        let create = format!("CREATE DATABASE {database}");
        assert!(Command::new("psql").args([&server, "-c", &create]).stdout(Stdio::null()).status().unwrap().success());
        let (account, rest) = server.rsplit_once('@').unwrap();
        let (host, _) = rest.split_once('/').unwrap();
        Some(Self { account: account.to_owned(), host: host.to_owned(), database })
    }

    pub fn url(&self, host: &str) -> String {
        format!("{}@{host}/{}", self.account, self.database)
    }
}
