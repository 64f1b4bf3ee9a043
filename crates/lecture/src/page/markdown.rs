//! Converts the sections' text, Markdown with TeX formulas, to HTML with MathML.

use pulldown_cmark::{Event, Options};
use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Parser, RenderConfig, Storage, push_mathml};

/// Converts Markdown to HTML; `$x$` and `$$x$$` become MathML, which browsers draw without a script.
///
/// # Panics
/// When a formula is not valid TeX: the texts are part of the program.
#[track_caller]
pub(super) fn html(markdown: &str) -> String {
    let events = pulldown_cmark::Parser::new_ext(markdown, Options::ENABLE_MATH | Options::ENABLE_TABLES);
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events.map(with_formulas));
    html
}

/// The same for a caption: the content of one paragraph, without the paragraph element.
#[track_caller]
pub(super) fn inline_html(markdown: &str) -> String {
    let html = html(markdown);
    html.trim().trim_start_matches("<p>").trim_end_matches("</p>").to_owned()
}

/// Escapes the four characters that are special in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn with_formulas(event: Event<'_>) -> Event<'_> {
    match event {
        Event::InlineMath(tex) => Event::InlineHtml(mathml(&tex, DisplayMode::Inline).into()),
        Event::DisplayMath(tex) => Event::Html(mathml(&tex, DisplayMode::Block).into()),
        // Only the program writes tags; those in a text are shown literally.
        Event::Html(tag) | Event::InlineHtml(tag) => Event::Text(tag),
        other => other,
    }
}

#[track_caller]
pub(super) fn mathml(tex: &str, display_mode: DisplayMode) -> String {
    let storage = Storage::new();
    let events: Result<Vec<_>, _> = Parser::new(tex, &storage).collect();
    let events = events.unwrap_or_else(|error| panic!("the formula {tex:?}: {error}"));
    let config = RenderConfig { display_mode, ..RenderConfig::default() };
    let mut html = String::new();
    let events = events.into_iter().map(Ok::<_, std::convert::Infallible>);
    push_mathml(&mut html, events, config).expect("a string takes all");
    // Browsers forgive a bare < and a missing space before an attribute of large brackets, mdBook does not.
    html.replace("><</", ">&lt;</").replace("\"minsize=", "\" minsize=")
}

#[cfg(test)]
mod tests {
    use foreign_text::Foreign;

    use super::*;

    #[test]
    fn formulas_become_mathml() {
        let html = html("The step $x^2$ and\n\n$$\\frac{1}{1-\\beta^t}$$\n");
        assert!(
            html.contains("<msup>") && html.contains("<mfrac>") && html.contains("display=\"block\""),
            "{html}"
        );
    }

    #[test]
    fn formulas_are_well_formed() {
        let html = html("$$\\Bigl(x < y\\Bigr)$$");
        assert!(html.contains("&lt;") && !html.contains("<<"), "{html}");
        let mut parts = html.split('"').skip(2).step_by(2);
        assert!(html.contains("minsize="), "{html}");
        assert!(parts.all(|between| between.starts_with([' ', '>', '/'])), "{html}");
    }

    #[test]
    fn a_strangers_text_is_shown_as_it_stands() {
        for text in [
            "<img src=x onerror=alert(1)>",
            "`<b>`",
            "$\\nosuchthing$",
            "[a](javascript:b)",
            "&lt;",
            "***",
            "a|b",
        ] {
            let shown = html(&format!("A *{}* of it", Foreign::new(text).markdown()));
            assert_eq!(shown, format!("<p>A <em>{}</em> of it</p>\n", escape(text)));
        }
        assert_eq!(html("a <b>c</b>"), "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n");
    }

    #[test]
    #[should_panic(expected = "the formula")]
    fn a_broken_formula_is_found() {
        html("$\\nosuchthing$");
    }
}
