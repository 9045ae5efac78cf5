//! HTTP/1.1 over a socket, as bluntly as it takes to send what no client would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Reply, Request};

/// Longer than any answer takes; shorter than a test run.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts");
        stream
            .set_read_timeout(Some(TIMEOUT))
            .expect("sockets have timeouts");
        stream
            .set_write_timeout(Some(TIMEOUT))
            .expect("sockets have timeouts");
        stream.set_nodelay(true).expect("sockets have options");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a request and reads the answer.
    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Reply {
        // A gateway that refuses early may close before it has read everything.
        let written = self.write(&request.bytes());
        let reply = self.reply(&request.method, &request.target);
        reply.unwrap_or_else(|error| {
            panic!(
                "{} {}: {error}, after {written:?}",
                request.method, request.target
            )
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        // The other side may have closed already.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Reads one answer, and holds it to what is true of all of them.
    #[track_caller]
    pub fn reply(&mut self, method: &str, target: &str) -> io::Result<Reply> {
        let mut reply = self.any_reply(method, target)?;
        if reply.status == 100 {
            reply = self.any_reply(method, target)?;
        }
        Ok(reply.check(method))
    }

    /// Reads one answer, also one that the gateway's HTTP library made.
    pub fn any_reply(&mut self, method: &str, target: &str) -> io::Result<Reply> {
        let status = self.status()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
            asked: format!("{method} {target}"),
        };
        if method != "HEAD" && status >= 200 && !matches!(status, 204 | 304) {
            reply.body = self.body(&reply)?;
        }
        Ok(reply)
    }

    /// Whether the gateway has closed the connection, and sent nothing more.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(rest) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Whether nothing comes for a while.
    pub fn is_silent(&mut self, duration: Duration) -> bool {
        self.stream
            .get_ref()
            .set_read_timeout(Some(duration))
            .expect("sockets have timeouts");
        let silent = matches!(self.stream.fill_buf(), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.stream
            .get_ref()
            .set_read_timeout(Some(TIMEOUT))
            .expect("sockets have timeouts");
        silent
    }

    fn status(&mut self) -> io::Result<u16> {
        let line = self.line()?;
        let code = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        code.and_then(|code| code.parse().ok())
            .ok_or_else(|| invalid(&line))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8(line).map_err(|error| invalid(&error.to_string()))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn body(&mut self, reply: &Reply) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if reply.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = self.line()?;
                let len = usize::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
                let mut chunk = vec![0; len];
                self.stream.read_exact(&mut chunk)?;
                self.line()?;
                if len == 0 {
                    return Ok(body);
                }
                body.extend(chunk);
            }
        }
        match reply.header("content-length").map(str::parse) {
            Some(Ok(length)) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            Some(Err(_)) => return Err(invalid("content-length")),
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what}"))
}
