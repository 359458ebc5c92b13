/** Certificates for tests, made by the `openssl` program: an authority of the test's own and what it has signed. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface LeafOptions {
  /** Further names of the host; its common name is always one, unless it has a space. */
  readonly names?: readonly string[];
  readonly kind?: "ec" | "rsa";
  readonly isExpired?: boolean;
  /** Encrypts the key. */
  readonly password?: string;
  /** May sign others. */
  readonly isAuthority?: boolean;
}

export class Authority {
  /** Of its own; it signs itself, or another has signed it. */
  readonly files: CertificateFiles;
  readonly #folder: string;
  #serial = 0;

  private constructor(folder: string, files: CertificateFiles) {
    this.#folder = folder;
    this.files = files;
    mkdirSync(join(folder, "new"), { recursive: true });
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "crlnumber"), "01\n");
    writeFileSync(
      join(folder, "ca.cnf"),
      [
        "[ca]\ndefault_ca=own\n[own]",
        `database=${folder}/index.txt\nnew_certs_dir=${folder}/new\ncrlnumber=${folder}/crlnumber`,
        `certificate=${files.certificate}\nprivate_key=${files.key}`,
        "rand_serial=yes\ndefault_md=sha256\ndefault_crl_days=30\npolicy=any\nunique_subject=no",
        "[any]\ncommonName=supplied\norganizationName=optional\n",
      ].join("\n"),
    );
  }

  static create(commonName = "Test CA"): Authority {
    const folder = mkdtempSync(join(tmpdir(), "gp-certificates-"));
    const files = { certificate: join(folder, "ca.crt"), key: join(folder, "ca.key") };
    const subject = ["-subj", `/CN=${commonName}`];
    const usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    const out = ["-keyout", files.key, "-out", files.certificate];
    const options = ["-nodes", "-days", "30", ...subject, ...usage, ...out];
    openssl("req", "-x509", ...newKey("ec"), ...options);
    return new Authority(folder, files);
  }

  /** An authority below this one. */
  intermediate(commonName: string): Authority {
    const files = this.issue(commonName, { isAuthority: true });
    return new Authority(mkdtempSync(join(tmpdir(), "gp-certificates-")), files);
  }

  /** A certificate for a host or a client, both. */
  issue(commonName: string, options: LeafOptions = {}): CertificateFiles {
    const { names = [], kind = "ec", isExpired = false, password, isAuthority = false } = options;
    this.#serial += 1;
    const base = join(this.#folder, `leaf${this.#serial}`);
    const files = { certificate: `${base}.crt`, key: `${base}.key` };
    const request = `${base}.csr`;
    const secrecy = password === undefined ? ["-nodes"] : ["-passout", `pass:${password}`];
    const subject = ["-subj", `/O=Test/CN=${commonName}`];
    openssl("req", ...newKey(kind), ...secrecy, ...subject, "-keyout", files.key, "-out", request);
    const hosts = commonName.includes(" ") ? names : [commonName, ...names];
    const alternatives = hosts.map((one) => `${/^[\d.]+$/.test(one) ? "IP" : "DNS"}:${one}`);
    const lines = [
      `basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`,
      ...(isAuthority ? ["keyUsage=critical,keyCertSign,cRLSign"] : []),
      ...(alternatives.length > 0 ? [`subjectAltName=${alternatives.join(",")}`] : []),
    ];
    writeFileSync(`${base}.ext`, lines.join("\n"));
    const dates = isExpired
      ? ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
      : ["-days", "20"];
    const what = ["-in", request, "-out", files.certificate, "-extfile", `${base}.ext`, "-notext"];
    openssl("ca", "-batch", "-config", join(this.#folder, "ca.cnf"), ...dates, ...what);
    return files;
  }

  /** A list of revoked certificates. @returns its file */
  revoke(...revoked: readonly CertificateFiles[]): string {
    const config = ["-config", join(this.#folder, "ca.cnf")];
    for (const { certificate } of revoked) openssl("ca", ...config, "-revoke", certificate);
    const file = join(this.#folder, "revoked.crl");
    openssl("ca", ...config, "-gencrl", "-out", file);
    return file;
  }
}

function newKey(kind: "ec" | "rsa"): string[] {
  return kind === "rsa"
    ? ["-newkey", "rsa:2048"]
    : ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
