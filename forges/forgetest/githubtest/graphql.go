package githubtest

type graphQL struct{}

func newGraphQL() graphQL { return graphQL{} }

func (c *call) answerGraphQL() reply { return notFound() }
