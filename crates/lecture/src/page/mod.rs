//! The page: one self-contained HTML file with a table of contents, in light and dark colours.

pub mod bibliography;
mod book;
mod highlight;
mod knobs;
mod markdown;
mod section;
mod table;

use std::fmt::Write as _;

use bibliography::{COURSE, D2L, LECTURE};
use markdown::{escape, html};

pub use book::book_page;
pub use knobs::{Frame, Knob};
pub use section::Section;
pub(crate) use table::count;
pub use table::{Cell, Table};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("knobs.js");

/// The page loads nothing: styles, script and images are embedded.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The introduction: what the page is, what it is based on, and what on it was not computed.
fn introduction() -> String {
    format!(
        "This page repeats the experiments of a lecture and adds some: [{}]({}) by Ismayil Shahaliyev, from the course \
         [{}]({}) at ADA University, which in turn draws on the book [{}]({}). The text is our own.\n\n\
         Figures and tables were computed when the page was made, by the code under each section. The exceptions are \
         marked: numbers that the lecture printed, the fifty epochs of 5.3, which are a run on record, and numbers that \
         follow from a formula. Each experiment is a command with flags (`cargo install --path crates/descent` installs \
         it). Where there are sliders, every position was computed beforehand by the library.",
        LECTURE.title, LECTURE.at, COURSE.title, COURSE.at, D2L.title, D2L.at
    )
}

/// Renders the sections as one page, with a heading at the start of each chapter.
pub(crate) fn page(sections: &[Section]) -> String {
    let title = match sections {
        [section] => section.title,
        _ => "Regularization and optimization, from scratch",
    };
    let mut main = String::new();
    let mut contents = String::new();
    let (mut chapter, mut n_chapters, mut n_sections) = ("", 0, 0);
    for section in sections {
        if section.chapter != chapter {
            main += if n_chapters > 0 { "</section>\n" } else { "" };
            contents += if n_chapters > 0 { "</ol></li>" } else { "" };
            (chapter, n_chapters, n_sections) = (section.chapter, n_chapters + 1, 0);
            let id = format!("chapter-{n_chapters}");
            writeln!(
                main,
                "<section class=\"chapter\" aria-labelledby=\"{id}\"><h2 id=\"{id}\"><span>{n_chapters}</span> {}</h2>",
                escape(chapter)
            )
            .expect("a string takes all");
            write!(contents, "<li><a href=\"#{id}\">{}</a><ol>", escape(chapter))
                .expect("a string takes all");
        }
        n_sections += 1;
        write!(contents, "<li><a href=\"#{}\">{}</a></li>", section.name, escape(section.title))
            .expect("a string takes all");
        main += &body(section, &format!("{n_chapters}.{n_sections}"));
    }
    main += "</section>\n";
    contents += "</ol></li>";
    let introduction = if sections.len() > 1 { html(&introduction()) } else { String::new() };
    let hero = sections.iter().filter(|_| sections.len() > 1).find_map(|section| section.hero.as_deref());
    let hero =
        hero.map_or(String::new(), |svg| format!("<div class=\"hero\" aria-hidden=\"true\">{svg}</div>"));
    let script = match main.contains("<figure class=\"knobs\"") {
        true => format!("<script>\n{SCRIPT}</script>\n"),
        false => String::new(),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · Descent</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the text</a>\n\
         <header><div><p class=\"brand\">Descent</p><h1>{title}</h1>{introduction}</div>{hero}</header>\n\
         <div class=\"columns\"><nav aria-label=\"Contents\"><p>Contents</p><ol>{contents}</ol></nav>\n\
         <main id=\"main\">\n{main}</main></div>\n\
         <footer><p>Made by <code>descent lecture</code>, version {}. The same flags make the same \
         page, byte for byte, on processors with the same vector instructions.</p></footer>\n\
         {script}</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Renders one section: text and figures, exercises, references, how to reproduce it, and its source code.
fn body(section: &Section, number: &str) -> String {
    let name = &section.name;
    let links: Vec<String> = section
        .downloads
        .iter()
        .filter(|file| file.ends_with(".csv"))
        .map(|file| format!("<a href=\"{name}/{file}\">{file}</a>"))
        .collect();
    let numbers = match links.is_empty() {
        true => String::new(),
        false => format!(" Its numbers: {}.", links.join(", ")),
    };
    let list = |heading: &str, tag: &str, items: &str| match items {
        "" => String::new(),
        items => format!("<h4>{heading}</h4>\n<{tag}>\n{items}</{tag}>\n"),
    };
    format!(
        "<section class=\"experiment\" aria-labelledby=\"{name}\">\n<h3 id=\"{name}\"><span>{number}</span> {}</h3>\n{}\
         <div class=\"onward\">{}{}</div>\
         <div class=\"workshop\"><p>Make it yours: <code>descent lecture {name} --help</code>.{numbers}</p>\n\
         {}</div>\n</section>\n",
        escape(section.title),
        section.body,
        list("Exercises", "ol", &section.exercises),
        list("To read", "ul", &section.readings),
        section.sources
    )
}
