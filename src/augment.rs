//! Seeded augmentation: every training picture a little different in every epoch.
//!
//! The options have the names and meanings of Keras's `ImageDataGenerator`: shear and rotation in degrees, shifts as a
//! fraction of the size, zoom drawn apart for both axes, edges filled with the nearest pixel, bilinear sampling.

use std::f32::consts::PI;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// What may be done to a picture. [`Augment::default`] does nothing.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default)]
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
}

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
        }
    }
}

impl Augment {
    /// The article's: shear 0.2 degrees, zoom 0.8 to 1.2, flipped left and right.
    pub fn article() -> Self {
        Self { shear_range: 0.2, zoom_range: [0.8, 1.2], horizontal_flip: true, ..Self::default() }
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
        let [dark, bright] = self.brightness_range.unwrap_or([1.0, 1.0]);
        Transform {
            rotation,
            row_shift,
            column_shift,
            shear,
            column_zoom: rng.uniform_in(low, high),
            row_zoom: rng.uniform_in(low, high),
            horizontal_flip: (rng.uniform() < 0.5) && self.horizontal_flip,
            vertical_flip: (rng.uniform() < 0.5) && self.vertical_flip,
            brightness: rng.uniform_in(dark, bright),
        }
    }

    /// Draws from `rng` and writes the changed `image` (h, w, c) to `out`. `white` is the value that brightness stops
    /// at: 1 for pictures in [0, 1].
    pub fn apply(
        &self,
        image: &[f32],
        shape: [usize; 3],
        white: f32,
        rng: &mut Rng,
        out: &mut [f32],
    ) {
        self.draw(rng).apply(image, shape, white, out);
    }
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
    };

    /// Writes the changed `image` of `shape` (h, w, c) to `out`, values between 0 and `white`.
    ///
    /// As in Keras, the geometry comes first, then the flips, then brightness.
    pub fn apply(&self, image: &[f32], shape: [usize; 3], white: f32, out: &mut [f32]) {
        let [h, w, c] = shape;
        debug_assert_eq!(image.len(), h * w * c);
        debug_assert_eq!(out.len(), h * w * c);
        let (column, row) = self.source(h, w);
        for (y, out) in out.chunks_exact_mut(w * c).enumerate() {
            let y = if self.vertical_flip { h - 1 - y } else { y } as f32;
            for (x, out) in out.chunks_exact_mut(c).enumerate() {
                let x = if self.horizontal_flip { w - 1 - x } else { x } as f32;
                let at = |[dx, dy, start]: [f32; 3]| dx * x + dy * y + start;
                sample(image, shape, at(row), at(column), out);
            }
        }
        if self.brightness != 1.0 {
            for value in out {
                *value = (*value * self.brightness).clamp(0.0, white);
            }
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

/// The value of `image` at a place between its pixels, edges extended.
fn sample(image: &[f32], [h, w, c]: [usize; 3], row: f32, column: f32, out: &mut [f32]) {
    let between = |at: f32, len: usize| {
        let at = at.clamp(0.0, (len - 1) as f32);
        let low = at as usize;
        (low, (low + 1).min(len - 1), at - low as f32)
    };
    let (top, bottom, down) = between(row, h);
    let (left, right, across) = between(column, w);
    let pixel = |y: usize, x: usize| &image[(y * w + x) * c..][..c];
    let (top_left, top_right) = (pixel(top, left), pixel(top, right));
    let (bottom_left, bottom_right) = (pixel(bottom, left), pixel(bottom, right));
    for (i, out) in out.iter_mut().enumerate() {
        let upper = top_left[i] + across * (top_right[i] - top_left[i]);
        let lower = bottom_left[i] + across * (bottom_right[i] - bottom_left[i]);
        *out = upper + down * (lower - upper);
    }
}
