package gitlab_test

import "testing"

// attack 63: deliveries take turns by the project that they name; those that name none
// share one turn, whatever else they say.
func TestTenantOfADelivery(t *testing.T) {
	for body, want := range map[string]string{
		`{"project_id":7}`: "gl:7",
		`{"object_kind":"note","project_id":7,"project":{"id":7},"object_attributes":{"noteable_type":"MergeRequest"},"merge_request":{"iid":3}}`: "gl:7",
		`{"object_kind":"merge_request","project":{"id":7},"object_attributes":{"iid":3,"source_project_id":9,"target_project_id":7}}`:            "gl:7",
		`{"event_name":"user_add_to_group","group_id":78}`: "gl:group/78",
		`{"group_id":78,"project_id":7}`:                   "gl:7",
		`{"project_id":-1}`:                                "gl:",
		`{"project_id":"7"}`:                               "gl:",
		`{}`:                                               "gl:",
	} {
		r, raw := delivery(body, "X-Gitlab-Token", secret, "X-Gitlab-Webhook-UUID", "made up")
		d, err := prover(t, secret).Prove(r, raw)
		if err != nil || d.Tenant != want {
			t.Errorf("%s: expected tenant %q, got %q, %v", body, want, d.Tenant, err)
		}
	}
}
