//! Client certificates that Windows accepts and this service refuses: each with a line in the log that says why. OpenSSL makes and
//! sends them, because no library of this program does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustls::version::{TLS12, TLS13};
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;
use x509_parser::x509::X509Version;

use super::client::TlsClient;
use super::pki::{Ca, Leaf};
use super::{PAGE, Site, in_days, sample};
use crate::support::instance::Instance;

const REFUSED: &str = "cmgate_tls_handshakes_total{port=\"public\",result=\"certificate_refused\",ca=\"none\"}";

/// Lets OpenSSL use what it considers too weak.
const CONFIGURATION: &str = "openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = weak
[weak]
CipherString = DEFAULT@SECLEVEL=0
[req]
distinguished_name = name
[name]
";

/// A CA of OpenSSL in the directory of a site.
struct OpenSsl<'s>(&'s Site);

impl<'s> OpenSsl<'s> {
    /// Makes the CA, and replaces the CAs of the clients by it.
    fn new(site: &'s Site) -> Self {
        let this = Self(site);
        site.write("openssl.cnf", CONFIGURATION);
        site.write("client.ext", "extendedKeyUsage = clientAuth\n");
        let ca = "req -x509 -newkey rsa:2048 -nodes -subj /CN=old-CA -days 30 -keyout old.key -out clients.pem";
        this.run(&format!("{ca} -addext basicConstraints=critical,CA:true"));
        this
    }

    fn run(&self, arguments: &str) {
        let output = self.command("openssl", arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str, arguments: &str) -> Output {
        Command::new(program)
            .current_dir(self.0.directory.path())
            .env("OPENSSL_CONF", "openssl.cnf")
            .args(arguments.split_whitespace())
            .output()
            .unwrap()
    }

    /// Makes a certificate.
    fn issue(&self, name: &str, bits: u32, options: &str) -> PathBuf {
        self.run(&format!("req -new -newkey rsa:{bits} -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let x509 = format!("x509 -req -in {name}.csr -CA clients.pem -CAkey old.key -days 1 -out {name}.pem");
        self.run(&format!("{x509} {options}"));
        self.0.path(&format!("{name}.pem"))
    }

    /// Makes a call with curl, which uses OpenSSL.
    fn call(&self, name: &str, tls: &str, instance: &Instance) -> Output {
        let trusted = self.0.trusted();
        let ca = trusted.file_name().unwrap().to_str().unwrap();
        let port = instance.public.port();
        self.command(
            "curl",
            &format!(
                "--silent --show-error --ipv4 --max-time 120 --cacert {ca} --cert {name}.pem --key {name}.key {tls} \
                 --write-out %{{http_code}} --output /dev/null https://localhost:{port}{PAGE}"
            ),
        )
    }
}

fn start(site: &Site) -> Instance {
    let ca = site.path("clients.pem").display().to_string();
    site.start(&[("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"), ("CMGATE__TLS__CLIENT_CA", &ca)])
}

fn version(path: &Path) -> X509Version {
    let text = fs::read(path).unwrap();
    let (_, pem) = parse_x509_pem(&text).unwrap();
    let (_, certificate) = parse_x509_certificate(&pem.contents).unwrap();
    certificate.version()
}

/// The lines of the log about refused certificates with this subject.
fn lines(instance: &Instance, subject: &str) -> Vec<String> {
    let of = format!("subject=\"{subject}\"");
    let log = instance.log();
    let lines = log.lines().filter(|line| line.contains("client certificate refused") && line.contains(&of));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_certificates_are_refused_with_a_reason_that_the_operator_can_act_on() {
    let site = Site::new();
    let openssl = OpenSsl::new(&site);
    let extended = "-extfile client.ext";
    openssl.issue("good", 2048, &format!("-sha256 -set_serial 1 {extended}"));
    let old = openssl.issue("version1", 2048, "-sha256 -set_serial 2");
    assert_eq!(version(&old), X509Version::V1);
    openssl.issue("sha1", 2048, &format!("-sha1 -set_serial 3 {extended}"));
    openssl.issue("short", 1024, &format!("-sha256 -set_serial 4 {extended}"));
    let instance = start(&site);
    let mut refused = 0.0;
    for tls in ["--tlsv1.2 --tls-max 1.2", "--tlsv1.3"] {
        let answered = openssl.call("good", tls, &instance);
        assert_eq!(answered.stdout, b"200", "{}", String::from_utf8_lossy(&answered.stderr));
        for (name, serial, reason) in [
            ("version1", "02", "it is not an X.509 certificate of version 3"),
            ("sha1", "03", "a signature in its chain has an algorithm that is not accepted, such as SHA-1"),
            ("short", "04", "its RSA key has 1024 bits; at least 2048 are required"),
        ] {
            let before = lines(&instance, &format!("CN={name}")).len();
            let answered = openssl.call(name, tls, &instance);
            assert!(!answered.status.success() && answered.stdout == b"000", "{name} {tls}: {answered:?}");
            let told = lines(&instance, &format!("CN={name}"));
            assert_eq!(told.len(), before + 1, "{name} {tls}: {}", instance.log());
            let fields = format!("reason=\"{reason}\" serial=\"{serial}\" subject=\"CN={name}\" issuer=\"CN=old-CA\"");
            assert!(told.last().unwrap().contains(&fields), "{fields} is not in {told:?}");
            refused += 1.0;
            assert!((sample(&instance, REFUSED).await - refused).abs() < 0.5, "{name} {tls}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_its_key_is_refused_and_logged() {
    let site = Site::new();
    let instance = start(&site);
    let (leaf, other) = (site.clients.client(9, in_days(1)), site.clients.client(10, in_days(1)));
    for (version, count) in [(&TLS12, 1), (&TLS13, 2)] {
        let impostor = TlsClient::impostor(&site.server, version, &leaf, &other);
        let told = impostor.get(instance.public, PAGE).await.unwrap_err();
        assert!(told.contains("received fatal alert"), "{told}");
        let told = lines(&instance, "CN=client 9");
        let is_told = |line: &String| line.contains("the client has not proven that it has the key");
        assert!(told.len() == count && told.iter().all(is_told), "{told:?}");
        assert!((sample(&instance, REFUSED).await - count as f64).abs() < 0.5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_has_a_limited_length() {
    let site = Site::new();
    let instance = start(&site);
    for (length, is_accepted) in [(1, true), (6, true), (7, false), (40, false)] {
        let mut cas: Vec<Ca> = Vec::new();
        for number in 1..=length {
            let next = cas.last().unwrap_or(&site.clients).subordinate(&format!("CA {number} of {length}"));
            cas.push(next);
        }
        let leaf = cas.iter().rev().fold(cas[length - 1].client(9, in_days(1)), Leaf::through);
        let before = lines(&instance, "CN=client 9").len();
        let refused = sample(&instance, REFUSED).await;
        let answer = TlsClient::known_as(&site.server, &leaf).get(instance.public, PAGE).await;
        let told = lines(&instance, "CN=client 9").split_off(before);
        if is_accepted {
            assert_eq!((answer.unwrap().status, told.len()), (200, 0), "{length}: {told:?}");
            continue;
        }
        assert!(answer.unwrap_err().contains("received fatal alert"), "{length}");
        let is_told = told.len() == 1 && told[0].contains("reason=\"its chain has more than 6 intermediate CAs\"");
        assert!(is_told, "{length}: {told:?}");
        assert!((sample(&instance, REFUSED).await - refused - 1.0).abs() < 0.5, "{length}");
    }
}
