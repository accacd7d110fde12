package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Ref names an action of a connector.
type Ref struct{ Connector, Action string }

// maxName is the longest name of a tool that clients in use take.
const maxName = 64

// Names makes names for tools: <connector>_<action>, of letters, digits, _ and -, at most 64 of them. Two refs
// that would have one name, and those whose name is too long, end in a digest, so that names are unique and a
// name does not depend on the order of refs.
func Names(refs []Ref) []string {
	plain := make([]string, len(refs))
	uses := map[string]int{}
	for i, r := range refs {
		plain[i] = legal(r.Connector) + "_" + legal(r.Action)
		uses[plain[i]]++
	}
	out := make([]string, len(refs))
	for i, r := range refs {
		if len(plain[i]) <= maxName && uses[plain[i]] == 1 {
			out[i] = plain[i]
			continue
		}
		sum := sha256.Sum256([]byte(r.Connector + "\x00" + r.Action))
		digest := "_" + hex.EncodeToString(sum[:5])
		// What the tool does says more than whose it is, so the connector's name is cut first.
		action := legal(r.Action)
		action = action[:min(len(action), maxName-len(digest)-9)]
		connector := legal(r.Connector)
		connector = connector[:min(len(connector), maxName-len(digest)-len(action)-1)]
		out[i] = connector + "_" + action + digest
	}
	return out
}

func legal(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
}
