//! What an experiment reports: text, figures and tables, in reading order.

use anyhow::{Result, bail};
use viz::{Figure, Grid, Plot, Theme};

use super::bibliography::Reading;
use super::highlight;
use super::knobs::{self, Frame, Knob};
use super::markdown::{escape, html, inline_html};
use super::table::Table;

/// The part of the page that belongs to one experiment, and its files.
pub struct Section {
    pub(super) chapter: &'static str,
    /// The experiment's name, such as `weight-decay`: the anchor on the page and the folder of its files.
    pub name: String,
    pub(super) title: &'static str,
    pub(super) body: String,
    pub(super) sources: String,
    pub(super) downloads: Vec<String>,
    pub(super) hero: Option<String>,
    pub(super) exercises: String,
    pub(super) readings: String,
    /// Whether the experiment was run without flags.
    pub(crate) is_default: bool,
    terminal: String,
    files: Vec<(String, Vec<u8>)>,
    /// The first table with a NaN.
    with_nan: Option<String>,
}

/// Width and height of a figure: for a wide page, and for a phone held upright.
const WIDE: (u32, u32) = (680, 400);
const NARROW: (u32, u32) = (328, 300);
const HERO: (u32, u32) = (328, 270);
/// One of several panels, side by side or one below the other as the width allows: no wider than the
/// narrowest space on the page, so that its text never shrinks. Two columns have more room than three.
const PANEL: (u32, u32) = (276, 230);
const PANEL_OF_TWO: (u32, u32) = (330, 264);

impl Section {
    pub(crate) fn new(chapter: &'static str, module: &str, title: &'static str) -> Self {
        let name = module.replace('_', "-");
        let (body, sources, terminal) = Default::default();
        Self {
            chapter,
            name,
            title,
            body,
            sources,
            downloads: Vec::new(),
            hero: None,
            exercises: String::new(),
            readings: String::new(),
            is_default: true,
            terminal,
            files: Vec::new(),
            with_nan: None,
        }
    }

    /// Checks that no table has a NaN.
    ///
    /// # Errors
    /// When one has.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(name) = &self.with_nan else { return Ok(()) };
        bail!(
            "the table {name} has numbers that are NaN: with these flags the experiment leaves the range of numbers; try \
             values closer to the defaults, such as a smaller --lr"
        )
    }

    /// Adds paragraphs in Markdown, with formulas in TeX between `$` or `$$`.
    ///
    /// # Panics
    /// When a formula is not valid TeX.
    #[track_caller]
    pub fn text(&mut self, markdown: &str) {
        self.body += &html(markdown);
    }

    /// Returns the first text, which holds for all flags, followed by the second one if no flag was given,
    /// because that describes the numbers of the default run.
    pub fn told(&self, always: &str, of_defaults: &str) -> String {
        match (self.is_default, always) {
            (false, _) => always.to_owned(),
            (true, "") => of_defaults.to_owned(),
            (true, _) => format!("{always} {of_defaults}"),
        }
    }

    /// Adds a figure across the page, also drawn for narrow screens; the caption (Markdown) says what to see.
    ///
    /// # Errors
    /// When the figure has nothing to draw.
    pub fn figure(&mut self, name: &str, figure: Figure, caption: &str) -> Result<()> {
        let wide = figure.size(WIDE.0, WIDE.1);
        let wide_svg = self.save(name, &wide)?;
        let narrow = wide.size(NARROW.0, NARROW.1).svg(Theme::Auto)?;
        self.place(
            "figure",
            &format!("<div class=\"wide\">{wide_svg}</div><div class=\"narrow\">{narrow}</div>"),
            caption,
        );
        Ok(())
    }

    /// Sets the figure at the head of the page of all experiments.
    ///
    /// # Errors
    /// When the figure has nothing to draw.
    pub fn hero(&mut self, figure: Figure) -> Result<()> {
        self.hero = Some(figure.size(HERO.0, HERO.1).svg(Theme::Auto)?);
        Ok(())
    }

    /// Adds small multiples: one figure per panel, in `n_columns` columns, or fewer if there is no room.
    ///
    /// # Errors
    /// When a panel has nothing to draw.
    pub fn panels(
        &mut self,
        name: &str,
        title: &str,
        n_columns: usize,
        panels: Vec<Figure>,
        caption: &str,
    ) -> Result<()> {
        let mut svgs = String::new();
        let size = if n_columns == 2 { PANEL_OF_TWO } else { PANEL };
        let mut grid = Grid::new(title, n_columns).panel_size(size.0, size.1);
        for panel in panels {
            let panel = panel.size(size.0, size.1);
            svgs += &panel.svg(Theme::Auto)?;
            grid = grid.panel(panel);
        }
        self.save(name, &grid)?;
        let class = format!("panels columns-{n_columns}");
        self.place("figure", &format!("<div class=\"{class}\">{svgs}</div>"), caption);
        Ok(())
    }

    /// Adds any other plot of `viz` in its own size, with a version for narrow screens.
    ///
    /// # Errors
    /// When there is nothing to draw.
    pub fn plot(&mut self, name: &str, wide: &impl Plot, narrow: &impl Plot, caption: &str) -> Result<()> {
        let (wide, narrow) = (self.save(name, wide)?, narrow.svg(Theme::Auto)?);
        let content =
            format!("<div class=\"wide natural\">{wide}</div><div class=\"narrow natural\">{narrow}</div>");
        self.place("figure", &content, caption);
        Ok(())
    }

    /// Adds a figure with sliders: `frame` draws each position of `knobs`, given as one index per slider. The
    /// readings at all positions are in `NAME.csv`. The caption is Markdown.
    ///
    /// # Errors
    /// When a frame fails or has nothing to draw.
    pub fn knobs(
        &mut self,
        name: &str,
        knobs: &[Knob],
        decimals: usize,
        frame: impl Fn(&[usize]) -> Result<Frame> + Sync,
        caption: &str,
    ) -> Result<()> {
        let (content, table) = knobs::draw(knobs, decimals, frame)?;
        self.place("knobs", &content, caption);
        self.data(name, &table);
        Ok(())
    }

    /// Adds questions, each with the command that answers it.
    pub fn exercises(&mut self, exercises: &[(&str, &str)]) {
        for (question, command) in exercises {
            self.exercises +=
                &format!("<li>{}<br><code>{}</code></li>\n", inline_html(question), escape(command));
        }
    }

    /// Adds references on the subject.
    pub fn readings(&mut self, readings: &[Reading]) {
        for Reading { by, title, at } in readings {
            self.readings += &format!("<li>{}: <a href=\"{at}\">{}</a></li>\n", escape(by), escape(title));
        }
    }

    /// Adds a small table, on the page and as `NAME.csv`; the caption is Markdown.
    pub fn table(&mut self, name: &str, caption: &str, table: Table) {
        if self.with_nan.is_none() && table.has_nan() {
            self.with_nan = Some(name.to_owned());
        }
        self.body += &table.html(&inline_html(caption));
        self.terminal += &format!("\n{caption}\n{}", table.terminal());
        self.data(name, &table);
    }

    /// Adds numbers that are too many for the page, as `NAME.csv` only.
    pub fn data(&mut self, name: &str, table: &Table) {
        self.add_file(format!("{name}.csv"), table.csv().into_bytes());
    }

    /// Adds a source file that opens on a click: its path in the project and its text.
    pub fn source(&mut self, path: &str, text: &str) {
        self.sources += &highlight::details(path, text);
    }

    /// The files of the section's folder: names and contents.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Title and tables, for the terminal.
    pub(crate) fn terminal(&self) -> String {
        format!("{}\n{}\n", self.title, self.terminal)
    }

    /// Keeps a plot as SVG and PNG, and returns the SVG.
    fn save(&mut self, name: &str, plot: &impl Plot) -> Result<String> {
        let svg = plot.svg(Theme::Auto)?;
        self.add_file(format!("{name}.svg"), svg.clone().into_bytes());
        self.add_file(format!("{name}.png"), plot.png(Theme::Light)?);
        Ok(svg)
    }

    #[track_caller]
    fn add_file(&mut self, name: String, bytes: Vec<u8>) {
        assert!(!self.downloads.contains(&name), "{}: two files are called {name}", self.name);
        self.downloads.push(name.clone());
        self.files.push((name, bytes));
    }

    fn place(&mut self, class: &str, content: &str, caption: &str) {
        let caption = inline_html(caption);
        self.body +=
            &format!("<figure class=\"{class}\">{content}<figcaption>{caption}</figcaption></figure>\n");
    }
}
