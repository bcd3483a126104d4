package gitlabtest

import "strings"

// schemaOf is the part of GitLab's GraphQL schema that the double knows. Names,
// arguments and nullability are GitLab's (source: app/graphql/types/query_type.rb,
// project_type.rb, repository_type.rb, repositories/commit_type.rb, notes/base_note_interface.rb,
// merge_request_type.rb, user_interface; resolvers/repositories/commit_resolver.rb
// and commits_resolver.rb). Commit has an author account and no committer account.
func schemaOf(opts Options) string {
	out := schemaText
	if opts.WithoutRepositoryCommit {
		out = strings.Replace(out, newerRepositoryFields, "", 1)
	}
	if opts.WithoutEnterpriseCode {
		out = strings.Replace(out, diffVersionFields, "", 1)
	}
	if opts.WithoutBlobMode {
		out = strings.Replace(out, blobMode, "", 1)
	}
	return out
}

// diffVersionFields are the enterprise edition's, licensed or not (source:
// ee/app/graphql/ee/types/merge_request_type.rb).
const diffVersionFields = `
  mergeRequestDiffs(first: Int, after: String): MergeRequestDiffConnection
  approvalState: MergeRequestApprovalState`

const blobMode = " mode: String"

const newerRepositoryFields = `
  commit(ref: String!): Commit
  commits(ref: String!, author: String, query: String, committedBefore: Time, committedAfter: Time, first: Int, after: String): CommitConnection`

const schemaText = `
scalar Time
scalar UserID
scalar NoteID

type Query {
  currentUser: CurrentUser
  metadata: Metadata
  note(id: NoteID!): Note
  project(fullPath: ID!): Project
  projects(ids: [ID!], search: String, first: Int, after: String): ProjectConnection
  user(id: UserID, username: String): UserCore
  users(ids: [ID!], usernames: [String!], first: Int, after: String): UserCoreConnection
}

type Metadata { version: String! revision: String! enterprise: Boolean! }

type ProjectConnection { nodes: [Project] pageInfo: PageInfo! }

type Namespace { id: ID! fullPath: ID! }

type Project {
  id: ID!
  fullPath: ID!
  name: String!
  path: String!
  visibility: String
  archived: Boolean
  webUrl: String
  namespace: Namespace
  repository: Repository
  issue(iid: String): Issue
  mergeRequest(iid: String!): MergeRequest
  mergeRequests(iids: [String!], sourceBranches: [String!], targetBranches: [String!], state: MergeRequestState, first: Int, after: String): MergeRequestConnection
}

enum MergeRequestState { opened closed merged locked all }

type Repository {
  rootRef: String
  empty: Boolean!
  exists: Boolean!
  tree(path: String, ref: String, recursive: Boolean): Tree` + newerRepositoryFields + `
}

type Tree {
  lastCommit: Commit
  trees(first: Int, after: String): TreeEntryConnection!
  submodules(first: Int, after: String): SubmoduleConnection!
  blobs(first: Int, after: String): BlobConnection!
}

type TreeEntryConnection { nodes: [TreeEntry] pageInfo: PageInfo! }
type SubmoduleConnection { nodes: [Submodule] pageInfo: PageInfo! }
type BlobConnection { nodes: [Blob] pageInfo: PageInfo! }

type TreeEntry { id: ID! name: String! path: String! sha: String! }
type Submodule { id: ID! name: String! path: String! sha: String! }
type Blob { id: ID! name: String! path: String! sha: String!` + blobMode + ` }

type CommitConnection { nodes: [Commit] edges: [CommitEdge] pageInfo: PageInfo! }
type CommitEdge { cursor: String! node: Commit }

type Commit {
  id: ID!
  sha: String!
  shortId: String!
  parentSha: String
  title: String
  fullTitle: String
  description: String
  message: String
  authoredDate: Time
  committedDate: Time
  webUrl: String!
  webPath: String!
  authorEmail: String
  authorName: String
  committerEmail: String
  committerName: String
  author: UserCore
}

type MergeRequestConnection { nodes: [MergeRequest] pageInfo: PageInfo! count: Int! }

type MergeRequest {
  id: ID!
  iid: String!
  title: String!
  description: String
  state: MergeRequestState!
  sourceBranch: String!
  targetBranch: String!
  sourceProjectId: Int
  targetProjectId: Int!
  diffHeadSha: String
  diffRefs: DiffRefs
  mergeCommitSha: String
  mergedAt: Time
  createdAt: Time!
  updatedAt: Time!
  webUrl: String
  draft: Boolean!
  approved: Boolean!
  commitCount: Int
  author: UserCore
  mergeUser: UserCore
  assignees(first: Int, after: String): UserCoreConnection` + diffVersionFields + `
  commits(first: Int, after: String): CommitConnection
  commitsWithoutMergeCommits(first: Int, after: String): CommitConnection
  committers(first: Int, after: String): UserCoreConnection
  approvedBy(first: Int, after: String): UserCoreConnection
  notes(first: Int, after: String, last: Int, before: String): NoteConnection!
}

type MergeRequestDiffConnection { nodes: [MergeRequestDiff] pageInfo: PageInfo! }
type MergeRequestDiff { createdAt: Time! updatedAt: Time! }
type MergeRequestApprovalState { approvalRulesOverwritten: Boolean }

type Issue {
  id: ID!
  iid: String!
  title: String!
  notes(first: Int, after: String, last: Int, before: String): NoteConnection!
}

union NoteableType = Issue | MergeRequest
type Discussion { noteable: NoteableType }
type SystemNoteMetadata { action: String }

type DiffRefs { baseSha: String headSha: String! startSha: String! }

type NoteConnection { nodes: [Note] pageInfo: PageInfo! }

type Note {
  id: ID!
  body: String!
  author: UserCore
  system: Boolean!
  internal: Boolean
  createdAt: Time!
  updatedAt: Time!
  lastEditedAt: Time
  lastEditedBy: UserCore
  url: String
  project: Project
  noteableType: String!
  noteableId: Int
  discussion: Discussion
  systemNoteMetadata: SystemNoteMetadata
}

type UserCoreConnection { nodes: [UserCore] pageInfo: PageInfo! count: Int! }

type CurrentUser { id: ID! username: String! name: String! state: String! bot: Boolean! }

type UserCore {
  id: ID!
  username: String!
  name: String!
  state: String!
  bot: Boolean!
  active: Boolean
  human: Boolean
  publicEmail: String
  webUrl: String!
}

type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
`
