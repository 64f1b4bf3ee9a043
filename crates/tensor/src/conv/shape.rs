//! The sizes of a convolution.

use crate::shape::addressable;

/// The sizes of a two-dimensional convolution.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conv2dShape {
    /// The number of images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels of the input, a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output, a multiple of `groups`.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// The step between outputs, by rows and by columns.
    pub stride: [usize; 2],
    /// The number of zeros on each side, above and below, left and right.
    pub padding: [usize; 2],
    /// The step between the taps of the kernel.
    pub dilation: [usize; 2],
    /// The number of independent convolutions over equal shares of the channels.
    pub groups: usize,
}

impl Conv2dShape {
    /// Creates a shape with stride 1 and the padding that keeps an image's size: an odd square kernel, no
    /// dilation, one group.
    ///
    /// ```
    /// use tensor::conv::Conv2dShape;
    /// let shape = Conv2dShape::same(64, [32, 32], [3, 16], 5);
    /// assert_eq!((shape.out_height(), shape.padding), (32, [2, 2]));
    /// ```
    pub const fn same(
        batch: usize,
        [height, width]: [usize; 2],
        [in_channels, out_channels]: [usize; 2],
        kernel_size: usize,
    ) -> Self {
        Self {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel_size: [kernel_size; 2],
            stride: [1; 2],
            padding: [kernel_size / 2; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }

    /// Checks whether the sizes are valid; the error says which one is not and why.
    ///
    /// # Errors
    /// When a size other than `batch` and `padding` is zero, channels are not divisible by `groups`, the
    /// kernel is larger than the padded image, or there are more elements than memory can address.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [self.height, self.width, self.in_channels, self.out_channels, self.groups];
        expect_no_zero(sizes, [self.kernel_size, self.stride, self.dilation])?;
        for (name, channels) in [("in_channels", self.in_channels), ("out_channels", self.out_channels)] {
            if !channels.is_multiple_of(self.groups) {
                return Err(format!(
                    "{name} = {channels} is not divisible by groups = {}; change one of them",
                    self.groups
                ));
            }
        }
        for (axis, (name, size)) in [("height", self.height), ("width", self.width)].into_iter().enumerate() {
            let padded = self.padding[axis].checked_mul(2).and_then(|padding| padding.checked_add(size));
            let span = (self.kernel_size[axis] - 1).checked_mul(self.dilation[axis]).map(|span| span + 1);
            match (padded, span) {
                (Some(padded), Some(span)) if span <= padded => {}
                _ => {
                    return Err(format!(
                        "the kernel of size {} with dilation {} does not fit the {name} {size} with padding {}; \
                         make the kernel smaller, or the padding or the image larger",
                        self.kernel_size[axis], self.dilation[axis], self.padding[axis]
                    ));
                }
            }
        }
        let input = [self.batch, self.height, self.width, self.in_channels];
        let output = [self.batch, self.out_height(), self.out_width(), self.out_channels];
        let [kh, kw] = self.kernel_size;
        let patch_channels = self.in_channels / self.groups;
        let weight = [self.out_channels, patch_channels, kh, kw];
        let patches = [output[0], output[1], output[2], patch_channels, kh, kw];
        match [&input[..], &output, &weight, &patches].into_iter().all(addressable) {
            true => Ok(()),
            false => Err(format!("it has more elements than memory can address: {self:?}")),
        }
    }

    /// Rows of an output image: ⌊(height + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.
    pub fn out_height(&self) -> usize {
        self.out_size(0, self.height)
    }

    /// Columns of an output image; the formula of [`Self::out_height`].
    pub fn out_width(&self) -> usize {
        self.out_size(1, self.width)
    }

    fn out_size(&self, axis: usize, size: usize) -> usize {
        let span = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
        (size + 2 * self.padding[axis] - span) / self.stride[axis] + 1
    }

    /// Elements of the input, batch × height × width × in_channels.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Elements of the output, batch × out_height × out_width × out_channels.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.out_channels
    }

    /// Elements of the weight, out_channels × in_channels / groups × kernel height × kernel width.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.patch_len()
    }

    /// Floating-point operations of one pass: two for each product of an input element and a weight,
    /// including products with padding.
    pub fn flops(&self) -> usize {
        self.output_len().saturating_mul(2 * self.patch_len())
    }

    /// The number of input elements for one output: in_channels / groups × kernel height × kernel width.
    pub(crate) fn patch_len(&self) -> usize {
        self.in_channels / self.groups * self.kernel_size[0] * self.kernel_size[1]
    }
}

/// Checks that none of these is 0: height, width, input and output channels and groups; the size of the kernel,
/// its stride and its dilation.
fn expect_no_zero(sizes: [usize; 5], pairs: [[usize; 2]; 3]) -> Result<(), String> {
    let names = ["the height", "the width", "in_channels", "out_channels", "groups"];
    if let Some((name, _)) = names.into_iter().zip(sizes).find(|&(_, size)| size == 0) {
        return Err(format!("{name} is 0; it must be at least 1"));
    }
    let names = ["kernel size", "stride", "dilation"];
    match names.into_iter().zip(pairs).find(|(_, pair)| pair.contains(&0)) {
        Some((name, pair)) => Err(format!("the {name} is {pair:?}; both numbers must be at least 1")),
        None => Ok(()),
    }
}

/// The sizes of a transposed convolution, which computes from images what the input gradient of a convolution
/// computes from an output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvTranspose2dShape {
    /// The number of images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels of the input, a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output, a multiple of `groups`.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// The step in the output from one input to the next, by rows and by columns.
    pub stride: [usize; 2],
    /// How much is cut off on each side, above and below, left and right.
    pub padding: [usize; 2],
    /// How much is added at the bottom and on the right; less than the stride or the dilation.
    pub output_padding: [usize; 2],
    /// The step between the taps of the kernel.
    pub dilation: [usize; 2],
    /// The number of independent convolutions over equal shares of the channels.
    pub groups: usize,
}

impl ConvTranspose2dShape {
    /// Checks whether the sizes are valid; the error says which one is not and why.
    ///
    /// # Errors
    /// When a size other than `batch` and the paddings is zero, channels are not divisible by `groups`, an
    /// output padding is less than neither the stride nor the dilation, the padding leaves nothing, or there
    /// are more elements than memory can address.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [self.height, self.width, self.in_channels, self.out_channels, self.groups];
        expect_no_zero(sizes, [self.kernel_size, self.stride, self.dilation])?;
        for (name, channels) in [("in_channels", self.in_channels), ("out_channels", self.out_channels)] {
            if !channels.is_multiple_of(self.groups) {
                return Err(format!(
                    "{name} = {channels} is not divisible by groups = {}; change one of them",
                    self.groups
                ));
            }
        }
        for (axis, (name, size)) in [("height", self.height), ("width", self.width)].into_iter().enumerate() {
            let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
            let output_padding = self.output_padding[axis];
            if output_padding >= stride.max(dilation) {
                return Err(format!(
                    "the output padding {output_padding} is less than neither the stride {stride} nor the \
                     dilation {dilation}; reduce it"
                ));
            }
            let whole = (size - 1).checked_mul(stride).and_then(|steps| {
                let span = (self.kernel_size[axis] - 1).checked_mul(dilation)?;
                steps.checked_add(span)?.checked_add(output_padding + 1)
            });
            let Some(whole) = whole else {
                return Err(format!("it has more elements than memory can address: {self:?}"));
            };
            if self.padding[axis].checked_mul(2).is_none_or(|padding| padding >= whole) {
                return Err(format!(
                    "the padding {} leaves nothing of the {name} {whole}; reduce it",
                    self.padding[axis]
                ));
            }
        }
        self.convolution().validate()
    }

    /// The convolution that this one transposes: output and input swap places. Where the output padding is the
    /// stride or more, its output has rows and columns beyond the input of this one, which counts as zero there.
    pub fn convolution(&self) -> Conv2dShape {
        let &Self {
            batch, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, ..
        } = self;
        Conv2dShape {
            batch,
            height: self.out_height(),
            width: self.out_width(),
            in_channels: out_channels,
            out_channels: in_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
        }
    }

    /// Rows of an output image: (height − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1.
    pub fn out_height(&self) -> usize {
        self.out_size(0, self.height)
    }

    /// Columns of an output image; the formula of [`Self::out_height`].
    pub fn out_width(&self) -> usize {
        self.out_size(1, self.width)
    }

    fn out_size(&self, axis: usize, size: usize) -> usize {
        let span = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
        (size - 1) * self.stride[axis] + span + self.output_padding[axis] - 2 * self.padding[axis]
    }

    /// Elements of the input, batch × height × width × in_channels.
    pub(crate) fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// The rows below the input, and the columns to its right, from which the kernel would also reach the
    /// output: none unless the output padding is the stride or more. They count as zeros.
    pub(crate) fn zeros_after(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.output_padding[axis] / self.stride[axis])
    }
}
