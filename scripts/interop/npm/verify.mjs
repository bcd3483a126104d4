// Verifies one bundle with npm's libraries, which have no command of their own.
//
//   node verify.mjs LIBRARY TOOLS BUNDLE ROOT ARTIFACT KEY HINT [IDENTITY ISSUER]
//
// LIBRARY is "@sigstore/verify" or "sigstore"; TOOLS is the folder that holds node_modules.
// KEY is a PEM file that is taken for what the bundle calls HINT, or "" to go by IDENTITY
// and ISSUER.
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { cache } from "./tuf.mjs";

const [library, tools, bundlePath, rootPath, artifactPath, keyPath, hint, identity, issuer] = process.argv.slice(2);
const require = createRequire(path.join(tools, "package.json"));
const json = (file) => JSON.parse(readFileSync(file, "utf8"));
const libraries = { "@sigstore/verify": withVerify, sigstore: withSigstore };

try {
  const bundle = json(bundlePath);
  const artifact = readFileSync(artifactPath);
  await libraries[library](bundle, artifact);
  if (bundle.dsseEnvelope) {
    spokenOf(JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString()), artifact);
  }
  console.log("verified");
} catch (err) {
  console.error(`${err.code ?? err.name}: ${err.message}`);
  process.exit(1);
}

// The libraries verify an envelope; that it speaks of the artifact is the caller's to see.
function spokenOf(statement, artifact) {
  const digest = createHash("sha256").update(artifact).digest("hex");
  if (!statement.subject.some((s) => s.digest.sha256 === digest)) {
    throw Object.assign(new Error(`no subject has the digest ${digest}`), { code: "SUBJECT_ERROR" });
  }
}

function withVerify(bundle, artifact) {
  const { bundleFromJSON } = require("@sigstore/bundle");
  const { TrustedRoot } = require("@sigstore/protobuf-specs");
  const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");
  const keys = {};
  if (keyPath) {
    keys[hint] = { rawBytes: createPublicKey(readFileSync(keyPath)).export({ type: "spki", format: "der" }) };
  }
  const policy = keyPath ? undefined : { subjectAlternativeName: identity, extensions: { issuer } };
  const trust = toTrustMaterial(TrustedRoot.fromJSON(json(rootPath)), keys);
  new Verifier(trust).verify(toSignedEntity(bundleFromJSON(bundle), artifact), policy);
}

// sigstore takes its trusted root from a TUF repository alone, or from what it kept of one.
async function withSigstore(bundle, artifact) {
  const who = keyPath
    ? { keySelector: (h) => (h === hint ? readFileSync(keyPath, "utf8") : undefined) }
    : { certificateIdentityURI: identity, certificateIssuer: issuer };
  await require("sigstore").verify(bundle, artifact, { ...cache(require, rootPath), ...who });
}
