//! Seeded augmentation: every training picture a little different in every epoch.
//!
//! The options have the names and meanings of Keras's `ImageDataGenerator`: shear and rotation in degrees, shifts as a
//! fraction of the size, zoom drawn apart for both axes, edges filled with the nearest pixel, bilinear sampling.

use std::f32::consts::PI;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, Field, Record, record};
use crate::kernel::colour::{brightness, contrast, saturation};
use crate::kernel::warp::warp;
use crate::rng::Rng;

/// What may be done to a picture. [`Augment::default`] does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Augment {
    /// Degrees, drawn from plus or minus this.
    pub rotation_range: f32,
    /// Fraction of the width, drawn from plus or minus this.
    pub width_shift_range: f32,
    /// Fraction of the height, drawn from plus or minus this.
    pub height_shift_range: f32,
    /// Degrees, drawn from plus or minus this.
    pub shear_range: f32,
    /// Lowest and highest zoom, drawn apart for rows and columns; below 1 enlarges.
    pub zoom_range: [f32; 2],
    /// Mirror left and right, every other time.
    pub horizontal_flip: bool,
    /// Mirror top and bottom, every other time.
    pub vertical_flip: bool,
    /// Lowest and highest brightness; 1 leaves it.
    pub brightness_range: Option<[f32; 2]>,
    /// Lowest and highest contrast, about the picture's mean; 1 leaves it.
    pub contrast_range: Option<[f32; 2]>,
    /// Lowest and highest saturation; 1 leaves it, 0 is grey.
    pub saturation_range: Option<[f32; 2]>,
    /// The side of a square that is blanked somewhere, as a fraction of the picture's (DeVries and Taylor 2017).
    pub cut_out: f32,
}

record!(Augment {
    rotation_range,
    width_shift_range,
    height_shift_range,
    shear_range,
    zoom_range,
    horizontal_flip,
    vertical_flip,
    brightness_range,
    contrast_range,
    saturation_range,
    cut_out,
});

impl Default for Augment {
    fn default() -> Self {
        Self {
            rotation_range: 0.0,
            width_shift_range: 0.0,
            height_shift_range: 0.0,
            shear_range: 0.0,
            zoom_range: [1.0, 1.0],
            horizontal_flip: false,
            vertical_flip: false,
            brightness_range: None,
            contrast_range: None,
            saturation_range: None,
            cut_out: 0.0,
        }
    }
}

impl Augment {
    /// The article's: shear 0.2 degrees, zoom 0.8 to 1.2, flipped left and right.
    pub fn article() -> Self {
        Self { shear_range: 0.2, zoom_range: [0.8, 1.2], horizontal_flip: true, ..Self::default() }
    }

    /// What a JSON object names, and nothing else.
    ///
    /// # Errors
    /// Argument: no JSON object, another name than a field's, or a value of another kind than the field's.
    pub fn from_json(augment: &str) -> Result<Self> {
        json::parse(augment)
            .and_then(|augment| Self::read(&augment))
            .map_err(|error| Error::new(ErrorKind::Argument, format!("augment: {error}")))
    }

    /// The fields by their names, null for `None`: what [`Self::from_json`] takes.
    pub fn to_json(&self) -> Map<String, Value> {
        self.to_map()
    }

    /// Draws what happens to one picture. Takes the same draws from `rng` whatever is switched on, so that one option
    /// leaves the others' as they were.
    pub fn draw(&self, rng: &mut Rng) -> Transform {
        let mut within = |range: f32| rng.uniform_in(-range, range);
        let rotation = within(self.rotation_range);
        let row_shift = within(self.height_shift_range);
        let column_shift = within(self.width_shift_range);
        let shear = within(self.shear_range);
        let [low, high] = self.zoom_range;
        Transform {
            rotation,
            row_shift,
            column_shift,
            shear,
            column_zoom: rng.uniform_in(low, high),
            row_zoom: rng.uniform_in(low, high),
            horizontal_flip: (rng.uniform() < 0.5) && self.horizontal_flip,
            vertical_flip: (rng.uniform() < 0.5) && self.vertical_flip,
            brightness: factor(self.brightness_range, rng),
            contrast: factor(self.contrast_range, rng),
            saturation: factor(self.saturation_range, rng),
            cut_out: self.cut_out,
            cut_out_at: [rng.uniform(), rng.uniform()]
                .map(|at| if self.cut_out > 0.0 { at } else { 0.0 }),
        }
    }
}

fn factor(range: Option<[f32; 2]>, rng: &mut Rng) -> f32 {
    let [low, high] = range.unwrap_or([1.0, 1.0]);
    rng.uniform_in(low, high)
}

/// What happens to one picture, all of it drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// Degrees.
    pub rotation: f32,
    /// Fraction of the height.
    pub row_shift: f32,
    /// Fraction of the width.
    pub column_shift: f32,
    /// Degrees.
    pub shear: f32,
    /// Source rows per row.
    pub row_zoom: f32,
    /// Source columns per column.
    pub column_zoom: f32,
    /// Mirrored left and right.
    pub horizontal_flip: bool,
    /// Mirrored top and bottom.
    pub vertical_flip: bool,
    /// Factor on every value.
    pub brightness: f32,
    /// Factor on every value's distance from the mean.
    pub contrast: f32,
    /// Factor on every value's distance from its pixel's grey.
    pub saturation: f32,
    /// Side of the blanked square, as a fraction.
    pub cut_out: f32,
    /// Its centre, row and column, as fractions.
    pub cut_out_at: [f32; 2],
}

impl Transform {
    /// Leaves a picture as it is.
    pub const IDENTITY: Self = Self {
        rotation: 0.0,
        row_shift: 0.0,
        column_shift: 0.0,
        shear: 0.0,
        row_zoom: 1.0,
        column_zoom: 1.0,
        horizontal_flip: false,
        vertical_flip: false,
        brightness: 1.0,
        contrast: 1.0,
        saturation: 1.0,
        cut_out: 0.0,
        cut_out_at: [0.0; 2],
    };

    /// Writes the changed `image` of shape `from` (h, w, c) to `out` of height and width `to`, values between 0 and
    /// `white` (1 for pictures in [0, 1]). A larger `from` leaves detail for zooms to find.
    ///
    /// As in Keras, the geometry comes first, then the flips, then the colours.
    pub fn apply(
        &self,
        image: &[f32],
        from: [usize; 3],
        white: f32,
        to: [usize; 2],
        out: &mut [f32],
    ) {
        let [h, w, c] = from;
        let (column, row) = self.source(h, w);
        let flip = [self.vertical_flip, self.horizontal_flip];
        warp(image, from, [row, column], flip, to, out);
        self.colour(c, white, out);
        self.blank(to, c, out);
    }

    /// Brightness, contrast and saturation, one after the other.
    fn colour(&self, c: usize, white: f32, out: &mut [f32]) {
        if self.brightness != 1.0 {
            brightness(self.brightness, white, out);
        }
        if self.contrast != 1.0 {
            contrast(self.contrast, white, out);
        }
        if self.saturation != 1.0 {
            saturation(self.saturation, c, white, out);
        }
    }

    /// Fills the cut-out square, as far as it is inside, with the mean.
    fn blank(&self, [h, w]: [usize; 2], c: usize, out: &mut [f32]) {
        let span = |at: f32, size: usize| {
            let (centre, half) = (at * size as f32, self.cut_out * size as f32 / 2.0);
            ((centre - half).max(0.0) as usize)..((centre + half).min(size as f32) as usize)
        };
        if self.cut_out <= 0.0 {
            return;
        }
        let mean = out.iter().sum::<f32>() / out.len() as f32;
        let columns = span(self.cut_out_at[1], w);
        for y in span(self.cut_out_at[0], h) {
            out[(y * w + columns.start) * c..(y * w + columns.end) * c].fill(mean);
        }
    }

    /// The source column of output pixel (x, y) as [factor of x, factor of y, constant], and likewise its source row:
    /// rotation * shift * shear * zoom, about the picture's centre.
    ///
    /// Keras mixes the axes up here: the centre of a picture that is not square, and which shift is which. We do not.
    fn source(&self, h: usize, w: usize) -> ([f32; 3], [f32; 3]) {
        let radians = |degrees: f32| degrees * (PI / 180.0);
        let (sin, cos) = libm::sincosf(radians(self.rotation));
        let (shear_sin, shear_cos) = libm::sincosf(radians(self.shear));
        let (tx, ty) = (self.column_shift * w as f32, self.row_shift * h as f32);
        let (centre_x, centre_y) = (w as f32 / 2.0 - 0.5, h as f32 / 2.0 - 0.5);
        // One row of the rotation, carried through shift, shear and zoom, then moved to the centre.
        let carry = |[a, b]: [f32; 2], centre: f32| {
            let dx = a * self.column_zoom;
            let dy = (b * shear_cos - a * shear_sin) * self.row_zoom;
            let shift = a * tx + b * ty;
            [dx, dy, centre + shift - dx * centre_x - dy * centre_y]
        };
        (carry([cos, -sin], centre_x), carry([sin, cos], centre_y))
    }
}
