// Verifies one entry of the ledger from what the page holds: the commitment, the way to the
// root, the checkpoint, and its signature. Nothing is asked of the server.
(() => {
  'use strict';
  const box = document.getElementById('check');
  if (!box) return;
  const button = box.querySelector('button'), list = box.querySelector('ol'), subtle = window.crypto && window.crypto.subtle;

  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const hex = (b) => Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
  const unhex = (s) => Uint8Array.from(s.match(/../g) || [], (x) => parseInt(x, 16));
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => { out.set(p, at); return at + p.length; }, 0);
    return out;
  };
  const sha256 = async (b) => new Uint8Array(await subtle.digest('SHA-256', b));
  const same = (a, b) => hex(a) === hex(b);

  // RFC 9162, 2.1.3.2.
  const rootOf = async (leaf, index, size, proof) => {
    let fn = BigInt(index), sn = BigInt(size) - 1n, node = leaf;
    for (const p of proof) {
      if (sn === 0n) throw new Error('the proof is too long');
      if ((fn & 1n) === 1n || fn === sn) {
        node = await sha256(join([1], p, node));
        while ((fn & 1n) === 0n && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else {
        node = await sha256(join([1], node, p));
      }
      fn >>= 1n; sn >>= 1n;
    }
    if (sn !== 0n) throw new Error('the proof is too short');
    return node;
  };

  // DER ECDSA-Sig-Value to the two numbers side by side that WebCrypto takes.
  const plain = (der) => {
    const out = new Uint8Array(64);
    let at = 2;
    for (const end of [32, 64]) {
      const length = der[at + 1], number = der.slice(at + 2, at + 2 + length);
      const short = number.length > 32 ? number.slice(number.length - 32) : number;
      out.set(short, end - short.length);
      at += 2 + length;
    }
    return out;
  };

  const signed = async (spki, text, signature) => {
    if (spki.length === 44) { // Ed25519, RFC 8410
      const key = await subtle.importKey('spki', spki, 'Ed25519', false, ['verify']);
      return subtle.verify('Ed25519', key, signature, text);
    }
    const key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    return subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, plain(signature), text);
  };

  // ECDSA on P-256 over a digest (FIPS 186-5, 6.4.2), of public numbers alone: WebCrypto wants
  // the whole message, and an entry of the ledger has only its SHA-256.
  const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
  const G = [0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n];
  const number = (b) => BigInt('0x' + hex(b));
  const mod = (a, m) => ((a % m) + m) % m;
  const inverse = (a, m) => {
    let r = m, s = mod(a, m), x = 0n, y = 1n;
    while (s) { const q = r / s; [r, s, x, y] = [s, r - q * s, y, x - q * y]; }
    return mod(x, m);
  };
  const add = (a, b) => { // null is the point at infinity
    if (!a || !b) return a || b;
    if (a[0] === b[0] && a[1] !== b[1]) return null;
    const slope = a[0] === b[0] ? (3n * a[0] * a[0] - 3n) * inverse(2n * a[1], P) : (b[1] - a[1]) * inverse(b[0] - a[0], P);
    const x = mod(slope * slope - a[0] - b[0], P);
    return [x, mod(slope * (a[0] - x) - a[1], P)];
  };
  const times = (k, point) => {
    let out = null;
    for (; k; k >>= 1n, point = add(point, point)) if (k & 1n) out = add(out, point);
    return out;
  };
  const signedDigest = (point, digest, signature) => {
    const q = [number(point.slice(0, 32)), number(point.slice(32))], r = number(signature.slice(0, 32)), s = number(signature.slice(32));
    const on = q[0] < P && q[1] < P && mod(q[1] * q[1] - q[0] ** 3n + 3n * q[0] - B, P) === 0n;
    if (!on || digest.length !== 32 || r < 1n || r >= N || s < 1n || s >= N) return false;
    const w = inverse(s, N), p = add(times(mod(number(digest) * w, N), G), times(mod(r * w, N), q));
    return p !== null && p[0] % N === r;
  };

  // The SubjectPublicKeyInfo of a P-256 key up to its point; a certificate has it within.
  const before = '3059301306072a8648ce3d020106082a8648ce3d03010703420004';
  const recorded = (record) => {
    const { data, signature } = record.spec.hashedRekordV002, key = signature.verifier;
    const inside = hex(bytes((key.publicKey || key.x509Certificate).rawBytes)), at = inside.indexOf(before);
    if (at < 0) throw new Error('the entry names no P-256 key');
    const point = unhex(inside.slice(at + before.length, at + before.length + 128));
    return signedDigest(point, bytes(data.digest), plain(bytes(signature.content)));
  };

  const steps = async (d, say) => {
    const leaf = bytes(d.leaf), entry = JSON.parse(new TextDecoder().decode(leaf));
    if (d.salt) {
      const commitment = hex(await sha256(join(bytes(d.salt), bytes(d.document))));
      say(entry.commitment === commitment, 'the entry is the salted hash of the document shown here');
    }
    if (entry.spec) say(recorded(entry), 'the signature in the entry is that of the key in it, over the SHA-256 in it');
    const proof = d.proof ? d.proof.split(' ').map(unhex) : [];
    const root = await rootOf(await sha256(join([0], leaf)), d.index, d.size, proof);
    const note = new TextDecoder().decode(bytes(d.note)), cut = note.indexOf('\n\n');
    const text = note.slice(0, cut + 1), lines = text.split('\n');
    say(same(root, bytes(lines[2])), 'the entry and ' + proof.length + (proof.length === 1 ? ' hash' : ' hashes') + ' give the root of the checkpoint');
    say(lines[0] === d.origin && lines[1] === d.size, 'the checkpoint is of ' + d.size + ' entries of ' + d.origin);
    let found = false;
    for (const line of note.slice(cut + 2).split('\n')) {
      const [, name, value] = line.match(/^\u2014 (\S+) (\S+)$/) || [];
      if (name !== d.origin) continue;
      found = await signed(bytes(d.key), new TextEncoder().encode(text), bytes(value).slice(4)) || found;
    }
    say(found, 'the checkpoint is signed by the log\u2019s key');
  };

  button.hidden = false;
  button.addEventListener('click', async () => {
    list.textContent = '';
    let good = true;
    const say = (ok, what) => {
      good = good && ok;
      const item = document.createElement('li');
      item.className = ok ? 'good' : 'bad';
      item.textContent = (ok ? '\u2713 ' : '\u2715 does not hold: ') + what;
      list.append(item);
    };
    try {
      if (!subtle) throw new Error('this browser verifies only on pages served over https');
      await steps(box.dataset, say);
    } catch (e) {
      say(false, e && e.name === 'NotSupportedError' ? 'this browser does not know the log key\u2019s algorithm' : (e && e.message) || 'the page could not be verified');
    }
    const end = document.createElement('li');
    end.className = 'end ' + (good ? 'good' : 'bad');
    end.textContent = good ? 'Everything holds: verified by this browser, from the bytes on this page.' : 'Not verified: do not rely on this entry as it is shown here.';
    list.append(end);
    box.dataset.verified = good ? 'yes' : 'no';
  });
})();
