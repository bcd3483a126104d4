// Package manual turns the manual's Markdown into pages of HTML.
package manual

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// generated begins the paragraph that tells editors of a page's source what writes it.
const generated = "Generated from "

// Page is one page of the manual.
type Page struct {
	Name    string // "policy", of policy.md; "predicates/decision-v1"
	Title   string // its first heading
	Summary string // the first sentence of its first paragraph
	// Body is everything below the first heading. Raw HTML of the source is left out.
	Body template.HTML
	// Sections are its second-level headings.
	Sections []Section
}

// Section is a heading that can be linked to.
type Section struct{ ID, Title string }

// Read renders every page of a folder of Markdown and of the folders in it, by path. Links to
// other pages, and to schemas, lead to where the server has them, below base; links to files
// that the folder has not become plain text. Errors: the folder cannot be read.
func Read(files fs.FS, base string) (map[string]Page, error) {
	known := map[string]bool{}
	var names []string
	for _, pattern := range []string{"*.md", "*/*.md", "*/*.json"} {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, fmt.Errorf("list the manual: %w", err)
		}
		for _, name := range found {
			known[name] = true
			if strings.HasSuffix(name, ".md") {
				names = append(names, name)
			}
		}
	}
	out := map[string]Page{}
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the manual's %s: %w", name, err)
		}
		p, err := render(markdown(links{base: base, folder: path.Dir(name), known: known}), source)
		if err != nil {
			return nil, fmt.Errorf("render the manual's %s: %w", name, err)
		}
		p.Name = strings.TrimSuffix(name, ".md")
		out[p.Name] = p
	}
	return out, nil
}

func markdown(l links) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough,
			// A cell's alignment would be a style attribute, which the pages' CSP forbids.
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(l, 1000))),
	)
}

func render(md goldmark.Markdown, source []byte) (Page, error) {
	doc := md.Parser().Parse(text.NewReader(source))
	var p Page
	for n := doc.FirstChild(); n != nil; {
		next := n.NextSibling()
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level == 1 && p.Title == "" {
				p.Title = plain(n, source)
				doc.RemoveChild(doc, n) // the frame shows it
				break
			}
			id, _ := n.AttributeString("id")
			b, _ := id.([]byte) // the parser gives every heading one
			if n.Level == 2 {
				p.Sections = append(p.Sections, Section{ID: string(b), Title: plain(n, source)})
			}
			anchor(n, string(b))
		case *ast.Paragraph:
			said := plain(n, source)
			switch {
			case p.Summary != "":
			case strings.HasPrefix(said, generated):
				doc.RemoveChild(doc, n) // for whoever edits the source
			default:
				p.Summary = sentence(said)
			}
		}
		n = next
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		return Page{}, err
	}
	p.Body = template.HTML(focusable(b.String())) //nolint:gosec // our own manual, raw HTML left out
	return p, nil
}

// anchor adds a link to itself to a heading.
func anchor(n *ast.Heading, id string) {
	link := ast.NewLink()
	link.Destination = []byte("#" + id)
	link.Title = []byte("Link to this section")
	link.SetAttributeString("class", []byte("anchor"))
	link.AppendChild(link, ast.NewString([]byte("#")))
	n.AppendChild(n, ast.NewString([]byte(" ")))
	n.AppendChild(n, link)
}

// focusable lets the keyboard reach what may be wider than the window, to move it.
func focusable(html string) string {
	html = strings.ReplaceAll(html, "<pre>", `<pre class="wide" tabindex="0">`)
	html = strings.ReplaceAll(html, "<table>", `<div class="wide" tabindex="0"><table>`)
	return strings.ReplaceAll(html, "</table>", "</table></div>")
}

// plain is a node's text without markup, on one line.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(source))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		default:
			b.WriteString(plain(c, source))
		}
	}
	return b.String()
}

// sentence is the first one of a text.
func sentence(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return strings.TrimSuffix(text, ":")
}
