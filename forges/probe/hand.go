package probe

// handFact is one that no call of the probe can tell.
func handFact(id, assumes, used, follows, try string, copes bool) Fact {
	return Fact{ID: id, Area: areaHand, Needs: NeedsHand, Assumes: assumes, Used: used, Follows: follows, Try: try, Copes: copes}
}

func githubHand() []Fact {
	return []Fact{
		handFact("github.deleted-account", "The comment of a deleted account names nobody, or @ghost.", "approvals of accounts that are gone",
			"an approval could count for an account that is gone: report it",
			"delete a test account that commented, and look at user in GET /repos/OWNER/NAME/issues/comments/ID", false),
		handFact("github.attestation-public-key", "GitHub's check of attestations refuses bundles signed by a bare key, since it compares a certificate's repository.",
			"nothing: signatures are handed to the workflow, which uploads them as release files",
			"the better for it: signatures could be shown as attestations too",
			"gh attestation verify FILE --repo OWNER/NAME --bundle FILE.sigstore.json", true),
		handFact("github.deployment-rule", "A job that waits for the gate's leave is told of by deployment_protection_rule, and goes on or stops by the gate's answer.",
			"environments that wait for the gate", "use the client's --wait in place of an environment that waits",
			"switch the App on under an environment's deployment protection rules, run a job with that environment, and approve its release", false),
		handFact("github.suspended", "A suspended account is told as such on GitHub Enterprise Server, and is gone from github.com.", "approvals of suspended accounts",
			"an approval could count for a suspended account: take its right away besides",
			"suspend a test account, and look at suspended_at in GET /user/ID", false),
	}
}

func gitlabHand() []Fact {
	return []Fact{
		handFact("gitlab.hook-key", "A webhook that is sent again has the same Idempotency-Key.", "storing each delivery once",
			"a delivery is handled twice, which changes nothing", "resend a delivery on the webhook's page, and compare its request headers", true),
		handFact("gitlab.signing-token", "A webhook with a signing token is signed over webhook-id, webhook-timestamp and body.", "proving a delivery without sending its secret",
			"deliveries are refused: use a plain secret token", "configure whsec_… on both sides, comment, and look at the server's log for CS-1402", false),
		handFact("gitlab.hook-disabled", "A webhook that failed four times in a row is switched off for a while.", "finding deliveries that were missed",
			"what lost deliveries said is seen only when the request is looked at again",
			"stop the server, comment four times, and look at the webhook's page", true),
		handFact("gitlab.status-protected-tag", "A status on a protected tag's commit needs the right to create the tag.", "asking for Maintainer",
			"Developer would do", "set a status on a protected tag's commit with a token of a Developer", true),
	}
}
