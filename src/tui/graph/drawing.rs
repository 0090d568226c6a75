//! Pictures as text, for tests.
#![allow(clippy::unwrap_used)]

use super::*;

/// A sketch with texts in its boxes and on its edges.
pub(super) struct Named {
    pub(super) names: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) sketch: Sketch,
    pub(super) manner: Manner,
}

/// `a>b` is an edge, `a>b:label` one with a label, `a` alone a node.
pub(super) fn named(text: &str, manner: Manner) -> Named {
    let mut names: Vec<String> = Vec::new();
    let mut number = |name: &str| {
        names.iter().position(|it| it == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
    };
    let mut labels = Vec::new();
    let mut edges = Vec::new();
    for word in text.split_whitespace() {
        let Some((source, rest)) = word.split_once('>') else {
            number(word);
            continue;
        };
        let (target, label) = rest.split_once(':').unwrap_or((rest, ""));
        let width = u16::try_from(label.chars().count()).unwrap();
        let (source, target) = (number(source), number(target));
        edges.push(Link { source, target, label: width });
        labels.push(label.to_owned());
    }
    let tall = match (manner.frames, manner.room) {
        (Frames::Bare, _) => 1,
        (Frames::Drawn, Room::Wide) => 4,
        (Frames::Drawn, _) => 3,
    };
    let margin = if manner.frames == Frames::Drawn { 4 } else { 2 };
    let wide = |name: &String| u16::try_from(name.len()).unwrap() + margin;
    let nodes = names.iter().map(|name| Extent { width: wide(name), height: tall }).collect();
    Named { names, labels, sketch: Sketch { nodes, edges }, manner }
}

impl Named {
    pub(super) fn text(&self) -> String {
        self.draw(&lay_out(&self.sketch, self.manner))
    }

    pub(super) fn draw(&self, picture: &Picture) -> String {
        let at = |number: i32| usize::try_from(number).unwrap();
        let mut canvas = vec![vec![' '; at(picture.width)]; at(picture.height)];
        for y in 0..picture.height {
            for cell in picture.cells(y, 0..picture.width) {
                canvas[at(y)][at(cell.x)] = glyph(picture.passes(cell));
            }
            for label in picture.labels(y) {
                let text = self.labels[label.edge].chars().take(at(label.width));
                for (offset, c) in text.enumerate() {
                    canvas[at(y)][at(label.x) + offset] = c;
                }
            }
        }
        for (plot, name) in picture.boxes.iter().zip(&self.names) {
            let framed = self.manner.frames == Frames::Drawn;
            for y in 0..plot.height {
                for x in 0..plot.width {
                    let (top, bottom) = (y == 0, y == plot.height - 1);
                    let (left, right) = (x == 0, x == plot.width - 1);
                    let mut mask = 0;
                    if framed && (top || bottom || left || right) {
                        mask |= u8::from((left || right) && !top);
                        mask |= 2 * u8::from((top || bottom) && !right);
                        mask |= 4 * u8::from((left || right) && !bottom);
                        mask |= 8 * u8::from((top || bottom) && !left);
                        let here = (plot.x + x, plot.y + y);
                        for port in plot.ports.iter().filter(|port| (port.x, port.y) == here) {
                            mask |= port.arms;
                        }
                    }
                    canvas[at(plot.y + y)][at(plot.x + x)] = frame(Arms::of(mask, Weight::Light));
                }
            }
            let margin = if framed { 2 } else { 1 };
            let row = if framed { (plot.height - 2 - (plot.height - 2).min(2)) / 2 + 1 } else { 0 };
            for (offset, c) in name.chars().enumerate() {
                canvas[at(plot.y + row)][at(plot.x + margin) + offset] = c;
            }
        }
        let lines = canvas.into_iter().map(|line| line.into_iter().collect::<String>());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n") + "\n"
    }
}

fn glyph(passes: &[Pass]) -> char {
    if let Some(head) = passes.iter().find(|pass| pass.head) {
        return arrow(head.arms);
    }
    super::picture::strongest(passes, |_| Weight::Light).map_or(' ', line)
}
