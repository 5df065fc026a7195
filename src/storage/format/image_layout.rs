//! Infers channels, height and width of an array of inputs from its shape alone, and describes the result so that the user can
//! check it; a shape in evidently another order is refused.

use thiserror::Error;

/// The largest number of channels of an image that other programs save last-axis-first: grey, with alpha, RGB, RGBA.
const FEW: usize = 4;

/// The reasons why a shape is not a set of inputs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    #[error(
        "the inputs have shape {0:?} where [n, 28, 28], [n, channels, height, width] or [n, d] was expected, no size of it 0"
    )]
    Shape(Vec<usize>),
    #[error(
        "the inputs are rows of {0} values, and the network reads images: give them as [n, channels, height, width]"
    )]
    NoImages(usize),
    #[error(
        "the inputs have shape {0:?}, which is [n, height, width, channels]: numpy.transpose(x, (0, 3, 1, 2)) makes it \
         [n, channels, height, width]"
    )]
    ChannelsLast(Vec<usize>),
    #[error(
        "the inputs have shape {0:?}, which is [height, width, channels, n]: numpy.transpose(x, (3, 2, 0, 1)) makes it \
         [n, channels, height, width]"
    )]
    ImagesLast(Vec<usize>),
}

/// The interpretation of an array of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub count: usize,
    /// Channels, height and width.
    pub image: [usize; 3],
    /// The interpretation in words, with possible alternatives.
    pub description: String,
}

impl Layout {
    /// Interprets an array of this shape as inputs of a network that reads images, or of one that reads rows of numbers.
    ///
    /// # Errors
    /// When it is no shape of inputs, or evidently one in another order.
    pub fn of(shape: &[usize], images: bool) -> Result<Self, LayoutError> {
        if shape.contains(&0) {
            return Err(LayoutError::Shape(shape.to_vec()));
        }
        let (count, image, doubt) = match *shape {
            [n, d] if images => (n, image_of(d)?, ""),
            [n, d] => (n, [1, 1, d], ""),
            [n, height, width] => {
                let is_one = n == height && n > FEW && matches!(width, 1 | 3 | 4);
                let doubt = if is_one { "; if it is one image, give it as [1, channels, height, width]" } else { "" };
                (n, [1, height, width], doubt)
            }
            [n, channels, height, width] => {
                if channels > FEW && width <= FEW && height > width {
                    return Err(LayoutError::ChannelsLast(shape.to_vec()));
                }
                if n == channels && channels > FEW && height <= FEW && width > height {
                    return Err(LayoutError::ImagesLast(shape.to_vec()));
                }
                let either = width <= FEW && channels <= FEW && [channels, height, width] != [1; 3];
                let doubt = if either {
                    "; if its last axis is the channels, transpose it to [n, channels, height, width]"
                } else {
                    ""
                };
                (n, [channels, height, width], doubt)
            }
            _ => return Err(LayoutError::Shape(shape.to_vec())),
        };
        let many = |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
        let [channels, height, width] = image;
        let inputs = many(count, "input");
        let sides = format!("{}, {height} × {width}", many(channels, "channel"));
        let words = match (images, shape.len()) {
            (true, _) => format!("{inputs} of {sides}{doubt}"),
            (false, 2) => format!("{inputs} of {}", many(width, "value")),
            (false, _) => format!("{inputs} of {} ({sides}{doubt})", many(channels * height * width, "value")),
        };
        Ok(Self { count, image, description: words })
    }
}

/// Returns the image shape of rows of this length: that of CIFAR, or a grey square.
fn image_of(values: usize) -> Result<[usize; 3], LayoutError> {
    let side = values.isqrt();
    match values {
        3072 => Ok([3, 32, 32]),
        _ if side * side == values => Ok([1, side, side]),
        _ => Err(LayoutError::NoImages(values)),
    }
}
