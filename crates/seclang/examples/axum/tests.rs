use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

#[tokio::test]
async fn attacks_do_not_reach_the_service() {
    let mut files = RuleFiles::default();
    files.add_text(r#"SecRule ARGS "@detectSQLi" "id:1,phase:2,deny""#, "test.conf").unwrap();
    let service = service(RuleSet::compile(&files).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await });
    for (target, body, expected) in [
        ("/?id=1", "name=Ann", "HTTP/1.1 200 OK"),
        ("/?id=1'%20or%20'1'='1", "", "HTTP/1.1 403 Forbidden"),
        ("/", "name=1'+or+'1'='1", "HTTP/1.1 403 Forbidden"),
    ] {
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.lines().next(), Some(expected), "{target} {body}");
        assert_eq!(answer.ends_with("welcome"), expected.contains("200"), "{answer}");
    }
}
