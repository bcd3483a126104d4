package gate

// Codes of what only the HTTP surface sees.
const (
	CodePathUnknown Code = 1106 // nothing is served there
	CodeMethod      Code = 1107 // the path does not take the method
	CodeParameter   Code = 1108 // a query parameter does not read
)

// CodeInfo is what the manual and the error pages say about one code.
type CodeInfo struct {
	Code Code
	// Meaning is one sentence; Next is what its reader does.
	Meaning, Next string
}

// Codes lists every code that is ever shown, in order.
func Codes() []CodeInfo {
	return append([]CodeInfo{
		{CodeTokenMissing, "No ID token came with the request.", "Give the job `permissions: id-token: write` (GitHub) or `id_tokens:` (GitLab)."},
		{CodeTokenMalformed, "What came as an ID token is none.", "Send the token that the CI issued for this job, unchanged."},
		{CodeIssuerUnknown, "The ID token was issued by somebody this server does not know.", "Ask the operator whether your forge is configured, and under which issuer."},
		{CodeTokenSignature, "The ID token's signature, algorithm or key does not hold.", "Ask again with a fresh token; if it stays, compare the issuer's keys."},
		{CodeAudience, "The ID token was made for another service, or for another ask.", "Let the countersign client mint it, or name the audience that the message shows."},
		{CodeTokenExpired, "The ID token is expired, not yet valid, too old, or valid for too long.", "Mint a fresh one; compare the clocks if that does not help."},
		{CodeTokenClaims, "The ID token is not that of a running CI job: a claim is missing or contradicts another.", "Ask from the job itself, while it runs."},
		{CodeTokenRebound, "The ID token was used before, for another request.", "Mint a fresh one for each request."},
		{CodeIssuerUnavailable, "The issuer's keys cannot be read right now.", "Try again in a minute."},
		{CodeBodyTooLarge, "The ask is larger than one can be: 1 MiB.", "Release at most 1,000 subjects at once."},
		{CodeBodyMalformed, "The body broke off, or is not the JSON that an ask is: an unknown or repeated field, another type, or more after it.", "Use the countersign client, or compare with the API page."},
		{CodeSubjects, "A subject's name or digest, or the list of them, breaks the manifest's rules.", "Rename or remove what the message names."},
		{CodeAskMismatch, "The ask names another repository, ref or commit than the job runs for.", "Ask for what the job itself runs for."},
		{CodeServerName, "The ask was made for another server.", "Use the server's public URL."},
		{CodePathUnknown, "The server has nothing at this path.", "Compare the URL; start at the server's first page, or see the API page."},
		{CodeMethod, "The path does not take this method.", "Use one of the methods that the answer's `Allow` header names."},
		{CodeParameter, "A query parameter does not read.", "Send it as the message shows."},
		{CodeRepositoryUnknown, "No credential of this server reaches the repository.", "Have the app or bot installed on it."},
		{CodePolicyMissing, "The repository holds no `.countersign.yaml` on its default branch.", "Commit the minimal file that the message shows, then have it adopted."},
		{CodePolicyInvalid, "The policy file does not parse.", "Mend it at the line and column shown."},
		{CodePolicyUnreadable, "The forge did not let the policy file be read.", "Try again; if it stays, the operator finds the cause in the server's log."},
		{CodeStreamUnknown, "No stream of the policy fits the ask, or more than one does.", "Name the stream, or release from the workflow and ref that the policy names."},
		{CodePolicyNotAdopted, "No version of the repository's policy is in force yet.", "An administrator adopts the first version: countersignd policy adopt."},
		{CodeRequestUnknown, "There is no such request, or none that may be shown here.", "Compare the id. Releases of private repositories are shown in their pull or merge requests only."},
		{CodeNotSigned, "The request is not signed yet.", "Wait for it: countersign status."},
		{CodeEnded, "The request ended without signatures.", "See its checks, mend what they name, and ask again."},
		{CodeTransition, "The request moved on meanwhile.", "Look at it again."},
		{CodeNotPermitted, "This job does not speak for the request.", "Collect from the repository and workflow that asked."},
		{CodeRequestsFull, "The repository has as many open release requests as one may have.", "Have some of them approved, denied or withdrawn, or wait until they expire; then ask again."},
		{CodeNotEligible, "This person may not say this about the release.", "Ask somebody whom the release's page names as able to approve; where a right is missing, an administrator of the repository gives it."},
		{CodePageStale, "The page showed something else than what is there now, or something is not read yet.", "Load the page again, compare what it shows, and decide then."},
		{CodeSignIn, "The sign-in was not finished: it was cancelled, took too long, was finished before, or was begun in another browser.", "Start again with Sign in, in this browser."},
		{CodeSignedOut, "Nobody is signed in, or the sign-in ran out.", "Sign in, then do it again: nothing was changed."},
		{CodeCrossSite, "Another site's page made the browser send this.", "Do it on this server's own page. Where it was one: let the proxy in front of it leave the `Host` header as it came."},
		{CodeStreams, "As many pages are followed live at once as may be.", "Nothing: the page shows the newest when it is loaded again."},
	}, innerCodes()...)
}

// innerCodes are those of deliveries, keys, the ledger, forges and the server itself.
func innerCodes() []CodeInfo {
	return []CodeInfo{
		{CodeDeliveryUnsigned, "A delivery came without the proof that the forge sent it.", "Set the hook's secret at the forge, with SHA-256 and a JSON body."},
		{CodeDeliverySignature, "A delivery's proof does not hold.", "Compare the hook's secret at the forge with the server's."},
		{CodeDeliveryTooLarge, "A delivery is larger than forges send.", "Nothing: no forge sends more than 25 MB. If one seems to, look at what stands between it and the server."},
		{CodeDeliveryMalformed, "A delivery broke off, or is not what the forge's description says.", "Compare the hook's content type and events."},
		{CodeForgeUnknown, "No forge of this name is configured.", "Compare the hook's URL with the server's configuration."},
		{CodeDeliveriesFull, "As many deliveries about one repository wait as may.", "Deliver it again later; if it stays, the operator finds in the log what the server waits for."},
		{CodeKeyUnknown, "This server has no key of that name.", "Name a key of /v1/keys that is bound to the repository."},
		{CodeKeyUnbound, "The key is not bound to this repository.", "The operator binds it, or the policy names another."},
		{CodeKeyUnavailable, "The HSM does not answer.", "Try again; the operator looks at the token."},
		{CodeKeyMismatch, "Token and configuration disagree about a key.", "Compare label, id and fingerprint: countersignd keys list."},
		{CodePIN, "The token's PIN is missing or wrong.", "Mend the PIN file, then start again: tokens lock after few tries."},
		{CodeSignatureBad, "The HSM returned a signature that does not verify.", "Take the token out of use and look into it before anything else."},
		{CodeOrderRefused, "The signer refused an order that breaks its rules.", "Report it: this should not happen."},
		{CodeLedgerBehind, "The database lacks ledger entries that were published: it was rolled back or restored from an old copy. Nothing is signed.", "Restore the newest copy; where the entries are lost for good, two administrators begin a new epoch: countersignd ledger epoch."},
		{CodeSealing, "The release is signed, and its evidence (log proof, timestamps, cosignatures) is not complete yet.", "Try again in a few seconds; the client does."},
		{CodeWitnesses, "Fewer witnesses than the policy asks for cosigned the ledger.", "Try again; if it stays, the operator looks at the witnesses, and at whether the ledger was forked."},
		{CodeTimestamp, "The time-stamping authority does not answer as it should.", "Try again; the operator looks at its URL, its chain, and the log."},
		{CodeLogRange, "The ledger has published no such entry, tile, checkpoint or trusted root, or none that may be shown here.", "Stay within the size of the checkpoint at /log/checkpoint."},
		{CodeEpoch, "What should begin a new epoch of the ledger does not hold.", "Draft it anew, and have two administrators sign that very file."},
		{CodeForgeUnavailable, "The forge did not answer, or answered in part.", "Nothing: it is asked again."},
		{CodeForgeRefused, "The forge refuses the server's credential.", "Compare the app's or bot's permissions and installation."},
		{CodeForgeUnexpected, "The forge answered what its description does not say.", "Report it with the log's line."},
		{CodeEvidencePlace, "The forge has no place for a release's evidence: no release of the tag, an immutable one, another file of that name, or a permission that is missing. The signatures are good all the same.", "Mend what the message names, then have it told again from the server's pages; or add the collected files yourself."},
		{CodeCommentUnreadable, "A comment could not be read again.", "Nothing: it is tried again."},
		{CodeConfig, "The server's configuration does not hold.", "Mend what the message names; all problems are named at once."},
		{CodeInternal, "Something went wrong in the server.", "Try again; the operator finds it in the log."},
		{CodeStoreUnavailable, "The database does not answer.", "Try again; the operator looks at the database."},
	}
}
