//! Places the lines of a program: in sequence along the forward pass, the backward pass mirrored beside it, and the tensors
//! between the two, which is where their part of the kernel arises.
//!
//! Guarantees: every line shown has a place and none overlaps another; a connection between lines that are not neighbours runs
//! in a lane of its own, so that no two connections coincide.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

use crate::spec::{Line, Program};

/// Width of a lane beside a row of lines, in points.
const LANE: f32 = 6.0;
/// Distance between the passes and the tensors.
const GAP: f32 = 9.0;
/// Thickness of a pass in a wide pane, in a tall one.
const PASS: [f32; 2] = [18.0, 58.0];
/// Least room along the pass for a line with tensors, and for one without: in a wide pane, in a tall one.
const LEAST: [[f32; 2]; 2] = [[41.0, 24.0], [21.0, 21.0]];
/// No line takes more than this multiple of the least room.
const MOST: f32 = 2.4;

/// Holds the layout of a program.
pub struct Layout {
    pub tall: bool,
    pub items: Vec<Item>,
    pub ways: Vec<Way>,
    /// The number of each block shown and the rectangle around its lines.
    pub blocks: Vec<(usize, Rect)>,
    pub size: Vec2,
}

/// Places one line.
pub struct Item {
    /// Its index in the program.
    pub line: usize,
    pub forward: Rect,
    pub backward: Rect,
    /// The rectangles of its tensors, in their order.
    pub tensors: Vec<Rect>,
}

/// Connects an item to another that reads it; in a lane if they are not neighbours.
pub struct Way {
    pub from: usize,
    pub to: usize,
    pub lane: Option<usize>,
}

/// Returns the lines shown if there is no room for all: those outside the blocks and those of one block.
pub fn shown(program: &Program, only: Option<usize>) -> Vec<usize> {
    let wanted = |line: &Line| only.is_none() || line.block.is_none() || line.block == only;
    (0..program.lines.len()).filter(|&place| wanted(&program.lines[place])).collect()
}

/// Returns whether all these lines have room in an area of this size.
pub fn fits(program: &Program, lines: &[usize], tall: bool, size: Vec2) -> bool {
    least(program, lines, tall) <= if tall { size.y } else { size.x }
}

fn least(program: &Program, lines: &[usize], tall: bool) -> f32 {
    let end = LEAST[usize::from(tall)][1];
    lines.iter().map(|&line| room(&program.lines[line], tall)).sum::<f32>() + end
}

fn room(line: &Line, tall: bool) -> f32 {
    LEAST[usize::from(tall)][usize::from(line.tensors.is_empty())]
}

impl Layout {
    /// Lays these lines of the program out from `at` on, within `size` or beyond it if they need more.
    pub fn of(program: &Program, lines: &[usize], tall: bool, at: Pos2, size: Vec2) -> Self {
        let (length, breadth) = if tall { (size.y, size.x) } else { (size.x, size.y) };
        let least = least(program, lines, tall);
        let stretch = (length / least).clamp(1.0, MOST);
        let ways = ways(program, lines);
        let lanes = ways.iter().filter_map(|way| way.lane).max().map_or(0, |last| last + 1) as f32;
        let pass = PASS[usize::from(tall)];
        let margin = LANE * lanes + if lanes > 0.0 { 4.0 } else { 1.0 };
        let middle = (breadth - 2.0 * (margin + pass + GAP)).max(if tall { 90.0 } else { 44.0 });
        let rect = |along: (f32, f32), across: (f32, f32)| {
            let (low, high) = (vec2(along.0, across.0), vec2(along.1, across.1));
            let turned = |v: Vec2| if tall { at + vec2(v.y, v.x) } else { at + v };
            Rect::from_min_max(turned(low), turned(high))
        };
        let mut cursor = 0.0;
        let mut items = Vec::new();
        for &line in lines {
            let about = &program.lines[line];
            let end = cursor + stretch * room(about, tall);
            let gap = if tall { 2.5 } else { 4.0 };
            let along = (cursor + gap, end - gap);
            let first = margin + pass + GAP;
            let parts: &[(f32, f32)] =
                if about.tensors.len() == 1 { &[(0.0, 1.0)] } else { &[(0.0, 0.6), (0.63, 1.0)] };
            let tensor = |&(low, high): &(f32, f32)| rect(along, (first + low * middle, first + high * middle));
            items.push(Item {
                line,
                forward: rect(along, (margin, margin + pass)),
                backward: rect(along, (first + middle + GAP, first + middle + GAP + pass)),
                tensors: parts.iter().take(about.tensors.len()).map(tensor).collect(),
            });
            cursor = end;
        }
        let total = 2.0 * (margin + pass + GAP) + middle;
        let mut blocks: Vec<(usize, Rect)> = Vec::new();
        for item in &items {
            let Some(number) = program.lines[item.line].block else { continue };
            let around = item.forward.union(item.backward).expand2(if tall { vec2(0.0, 2.0) } else { vec2(3.0, 0.0) });
            match blocks.last_mut().filter(|(last, _)| *last == number) {
                Some((_, rect)) => *rect = rect.union(around),
                None => blocks.push((number, around)),
            }
        }
        let cursor = cursor + LEAST[usize::from(tall)][1];
        Self { tall, items, ways, blocks, size: if tall { vec2(total, cursor) } else { vec2(cursor, total) } }
    }

    /// Returns the points of a connection in one pass: straight to a neighbour, else around by the lane.
    pub fn path(&self, way: &Way, backward: bool) -> Vec<Pos2> {
        let side = |item: &Item| if backward { item.backward } else { item.forward };
        let (from, to) = (side(&self.items[way.from]), side(&self.items[way.to]));
        let path = match (way.lane, self.tall) {
            (None, false) => vec![from.right_center(), to.left_center()],
            (None, true) => vec![from.center_bottom(), to.center_top()],
            (Some(lane), false) => {
                let away = 5.0 + LANE * lane as f32;
                let y = if backward { from.bottom() + away } else { from.top() - away };
                let edge = |rect: Rect| if backward { rect.bottom() } else { rect.top() };
                let (x, end) = (from.center().x + 3.0, to.center().x - 3.0);
                vec![pos2(x, edge(from)), pos2(x, y), pos2(end, y), pos2(end, edge(to))]
            }
            (Some(lane), true) => {
                let away = 5.0 + LANE * lane as f32;
                let x = if backward { from.right() + away } else { from.left() - away };
                let edge = |rect: Rect| if backward { rect.right() } else { rect.left() };
                let (y, end) = (from.center().y + 3.0, to.center().y - 3.0);
                vec![pos2(edge(from), y), pos2(x, y), pos2(x, end), pos2(edge(to), end)]
            }
        };
        if backward { path.into_iter().rev().collect() } else { path }
    }
}

/// Returns the connections among these lines; a hidden line is replaced by the last shown lines before it.
fn ways(program: &Program, lines: &[usize]) -> Vec<Way> {
    let place = |line: usize| lines.partition_point(|&shown| shown <= line).saturating_sub(1);
    let mut ways: Vec<Way> = Vec::new();
    for (to, &line) in lines.iter().enumerate() {
        for &read in &program.lines[line].reads {
            let from = place(read);
            if from < to && !ways.iter().any(|way| (way.from, way.to) == (from, to)) {
                ways.push(Way { from, to, lane: None });
            }
        }
    }
    // Short ones come first, so that they lie inside the long ones.
    let mut around: Vec<usize> = (0..ways.len()).filter(|&at| ways[at].to > ways[at].from + 1).collect();
    around.sort_by_key(|&at| ways[at].to - ways[at].from);
    for at in around {
        let (from, to) = (ways[at].from, ways[at].to);
        let crossed = |lane: usize| ways.iter().any(|way| way.lane == Some(lane) && way.from <= to && from <= way.to);
        let free = (0..).find(|&lane| !crossed(lane));
        ways[at].lane = free;
    }
    ways
}
