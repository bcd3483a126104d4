// Makes what a TUF client keeps of a repository that holds one trusted root.
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

const host = "tuf.invalid";

// cache gives the options with which sigstore finds the trusted root, and asks nobody.
export function cache(require, rootPath) {
  const { Key, Metadata, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } = require("@tufjs/models");
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = new Key({
    keyID: "release", keyType: "ed25519", scheme: "ed25519",
    keyVal: { public: Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url").toString("hex") },
  });
  const options = { version: 1, specVersion: "1.0.0", expires: new Date(Date.now() + 3600e3).toISOString() };
  const signed = {
    root: new Root({ ...options, consistentSnapshot: false }),
    targets: new Targets(options),
    snapshot: new Snapshot(options),
    timestamp: new Timestamp(options),
  };
  for (const role of Object.keys(signed)) signed.root.addKey(key, role);
  const trusted = readFileSync(rootPath);
  signed.targets.addTarget(new TargetFile({
    path: "trusted_root.json", length: trusted.length, hashes: { sha256: createHash("sha256").update(trusted).digest("hex") },
  }));

  const tufCachePath = mkdtempSync(path.join(homedir(), "tuf-"));
  const folder = path.join(tufCachePath, host);
  mkdirSync(path.join(folder, "targets"), { recursive: true });
  writeFileSync(path.join(folder, "targets", "trusted_root.json"), trusted);
  for (const [name, content] of Object.entries(signed)) {
    const metadata = new Metadata(content);
    metadata.sign((data) => new Signature({ keyID: key.keyID, sig: sign(undefined, data, privateKey).toString("hex") }));
    writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(metadata.toJSON()));
  }
  return { tufMirrorURL: `https://${host}`, tufCachePath, tufForceCache: true, tufRootPath: path.join(folder, "root.json") };
}
