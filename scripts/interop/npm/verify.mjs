// Verifies one bundle with @sigstore/verify, which has no command of its own.
//
//   node verify.mjs TOOLS BUNDLE ROOT ARTIFACT KEY HINT [IDENTITY ISSUER]
//
// TOOLS is the folder that holds node_modules. KEY is a PEM file that is taken for what
// the bundle calls HINT, or "" to go by IDENTITY and ISSUER.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [tools, bundlePath, rootPath, artifactPath, keyPath, hint, identity, issuer] = process.argv.slice(2);
const require = createRequire(path.join(tools, "package.json"));
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot, PublicKeyDetails } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

try {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
  const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(rootPath, "utf8")));
  const artifact = readFileSync(artifactPath);
  const keys = {};
  if (keyPath) {
    const der = readFileSync(keyPath, "utf8").replace(/-----[^-]+-----|\s/g, "");
    keys[hint] = { rawBytes: Buffer.from(der, "base64"), keyDetails: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256 };
  }
  const policy = keyPath ? undefined : { subjectAlternativeName: identity, extensions: { issuer } };
  new Verifier(toTrustMaterial(root, keys)).verify(toSignedEntity(bundle, artifact), policy);
  if (bundle.content.$case === "dsseEnvelope") {
    // The library verifies the envelope; that it speaks of the artifact is the caller's to see.
    const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString());
    const digest = createHash("sha256").update(artifact).digest("hex");
    if (!statement.subject.some((s) => s.digest.sha256 === digest)) {
      throw Object.assign(new Error(`no subject has the digest ${digest}`), { code: "SUBJECT_ERROR" });
    }
  }
  console.log("verified");
} catch (err) {
  console.error(`${err.code ?? err.name}: ${err.message}`);
  process.exit(1);
}
