//! Translates operations that own parameters: linear maps, convolutions, normalisations, embeddings, and attention.

use super::lines::Line;
use super::module_graph::GraphTensor;
use super::translate::{Entry, Node, Translated, Translator, Val, list, quoted, real, stripped};

impl<'a> Translator<'a> {
    /// Translates an operation with parameters; `None` where it is none.
    pub fn layer(&mut self, kind: &str, line: &'a Line) -> Option<Translated<Entry>> {
        Some(match kind {
            "linear" => self.linear(line),
            "addmm" => self.addmm(line),
            "matmul" | "mm" | "bmm" => self.matmul(kind, line),
            "baddbmm" => Err("it adds to a product: write the product and the sum".to_owned()),
            "conv1d" | "conv2d" => self.conv(line, kind == "conv1d"),
            "convolution" | "_convolution" => {
                Err("it is a convolution of an older export: export with this PyTorch's torch.export".to_owned())
            }
            "batch_norm" => self.batch_norm(line),
            "_native_batch_norm_legit_no_training" => self.batch_norm(line).map(first_of_several),
            "layer_norm" => self.layer_norm(line),
            "native_layer_norm" => self.layer_norm(line).map(first_of_several),
            "group_norm" => self.group_norm(line),
            "instance_norm" => self.instance_norm(line),
            "rms_norm" => self.rms_norm(line),
            "embedding" => self.embedding(line),
            "scaled_dot_product_attention" => self.attention(line),
            _ => return None,
        })
    }

    /// Returns the name argument of a layer's function: the layer's name where its tensors are called as that function
    /// calls them, and otherwise the list of their names.
    fn layer_name(tensors: &[(&GraphTensor, &str)]) -> String {
        let prefix = tensors.first().and_then(|(tensor, part)| tensor.name.strip_suffix(&format!(".{part}")));
        if let Some(prefix) = prefix
            && tensors.iter().all(|(tensor, part)| tensor.name == format!("{prefix}.{part}"))
        {
            return quoted(prefix);
        }
        let names: Vec<String> = tensors.iter().map(|(tensor, _)| quoted(&tensor.name)).collect();
        format!("[{}]", names.join(", "))
    }

    fn linear(&mut self, line: &'a Line) -> Translated<Entry> {
        let (input, torch) = self.value(line, "input")?;
        let weight = self.operand(line, "weight")?;
        let [outputs, features] = *weight.shape.as_slice() else {
            return Err(format!("its weight has shape {:?} and not two axes", weight.shape));
        };
        if torch.last() != Some(&features) {
            return Err(format!("its weight {:?} does not fit the input {torch:?}", weight.shape));
        }
        let has_bias = self.entry(line, "bias")?.is_some();
        let owned = self.owned(line, "weight")?;
        let bias = self.owned(line, "bias")?;
        if let (Some((_, weight)), true) = (&owned, !has_bias || bias.is_some()) {
            let bias = bias.as_ref().map(|(_, bias)| bias);
            return Ok(self.dense(line, &input, &torch, weight, bias, outputs, false));
        }
        // The weight is no tensor of its own: the product of two values.
        let (weight, _) = self.value(line, "weight")?;
        let turned = format!("transpose({}, [1, 0])", self.reshaped(&weight, &[outputs, features]));
        let places: usize = torch.iter().product::<usize>() / features.max(1);
        let product = format!("matmul({}, {turned})", self.reshaped(&input, &[places, features]));
        let product = self.named(&format!("{}_product", line.name), &product, vec![places, outputs]);
        let out = [&torch[..torch.len() - 1], &[outputs]].concat();
        self.plus_bias(line, product, out, outputs)
    }

    /// Adds the bias of a line, if it has one, to a value [places, outputs].
    fn plus_bias(&mut self, line: &'a Line, product: Val, torch: Vec<usize>, outputs: usize) -> Translated<Entry> {
        let shape = product.shape.clone();
        if self.entry(line, "bias")?.is_none() {
            return Ok(Entry::new(Node::Value(product), torch));
        }
        let (bias, bias_shape) = self.value(line, "bias")?;
        if bias_shape.iter().product::<usize>() != outputs {
            return Err(format!("its bias has shape {bias_shape:?} and not [{outputs}]"));
        }
        let bias = format!("expand({}, {})", self.reshaped(&bias, &[1, outputs]), list(&shape));
        Ok(self.result(line, &format!("{} + {bias}", product.text), shape, torch))
    }

    #[expect(clippy::too_many_arguments, reason = "a dense layer: its input, its tensors and its size")]
    fn dense(
        &mut self,
        line: &Line,
        input: &Val,
        torch: &[usize],
        weight: &GraphTensor,
        bias: Option<&GraphTensor>,
        outputs: usize,
        transposed: bool,
    ) -> Entry {
        let features = torch.last().copied().unwrap_or(1);
        let places: usize = torch[..torch.len() - 1].iter().product();
        let (into, out) =
            if places == 1 { (vec![features], vec![outputs]) } else { (vec![places, features], vec![places, outputs]) };
        let mut named = vec![(weight, "weight")];
        named.extend(bias.map(|bias| (bias, "bias")));
        let mut options = Vec::new();
        if bias.is_none() {
            options.push("bias: false");
        }
        if transposed {
            options.push("transposed: true");
        }
        let options = if options.is_empty() { String::new() } else { format!(", #{{{}}}", options.join(", ")) };
        let name = Self::layer_name(&named);
        let expression = format!("dense({name}, {}, {outputs}{options})", self.reshaped(input, &into));
        let result = [&torch[..torch.len() - 1], &[outputs]].concat();
        self.result(line, &expression, out, result)
    }

    fn addmm(&mut self, line: &'a Line) -> Translated<Entry> {
        if line.real("beta", 1.0)? != 1.0 || line.real("alpha", 1.0)? != 1.0 {
            return Err("it multiplies the sum or the product by a number".to_owned());
        }
        let (input, torch) = self.value(line, "mat1")?;
        let weight = self.operand(line, "mat2")?;
        let bias = self.owned(line, "self")?;
        if let (Some((at, transposed)), Some((_, bias))) = (self.matrix(&weight), bias) {
            let tensor = self.tensors[at].clone();
            let outputs = if transposed { tensor.shape[1] } else { tensor.shape[0] };
            if bias.shape == [outputs] {
                return Ok(self.dense(line, &input, &torch, &tensor, Some(&bias), outputs, transposed));
            }
        }
        Err("it is a sum and a product of values: write them apart".to_owned())
    }

    /// Returns the tensor of a matrix W of a product x W that a layer can own, and whether the layer reads it as W (and not
    /// as Wᵀ, as PyTorch's layers store it).
    fn matrix(&self, entry: &Entry) -> Option<(usize, bool)> {
        match entry.node {
            Node::Tensor(at) if self.tensors[at].shape.len() == 2 && !self.is_value(at) => Some((at, true)),
            Node::Transposed(at) if !self.is_value(at) => Some((at, false)),
            _ => None,
        }
    }

    fn matmul(&mut self, kind: &str, line: &'a Line) -> Translated<Entry> {
        let second = if kind == "matmul" { "other" } else { "mat2" };
        let matrix = self.operand(line, second)?;
        let (a, a_torch) = self.value(line, "self")?;
        let is_input = |entry: &Entry| matches!(entry.node, Node::Value(_));
        if let Some((at, transposed)) = self.matrix(&matrix)
            && is_input(&self.operand(line, "self")?)
            && !a_torch.is_empty()
        {
            let tensor = self.tensors[at].clone();
            let (features, outputs) =
                if transposed { (tensor.shape[0], tensor.shape[1]) } else { (tensor.shape[1], tensor.shape[0]) };
            if a_torch.last() == Some(&features) {
                return Ok(self.dense(line, &a, &a_torch, &tensor, None, outputs, transposed));
            }
        }
        let (b, b_torch) = self.value(line, second)?;
        self.product(line, (&a, &a_torch), (&b, &b_torch))
    }

    /// Writes the matrix product of two values, whose leading axes are broadcast.
    pub fn product(
        &mut self,
        line: &Line,
        (a, a_torch): (&Val, &[usize]),
        (b, b_torch): (&Val, &[usize]),
    ) -> Translated<Entry> {
        let no_fit = || format!("{a_torch:?} and {b_torch:?} have no product");
        if a_torch.is_empty() || b_torch.is_empty() {
            return Err(no_fit());
        }
        let a_full = if a_torch.len() == 1 { vec![1, a_torch[0]] } else { a_torch.to_vec() };
        let b_full = if b_torch.len() == 1 { vec![b_torch[0], 1] } else { b_torch.to_vec() };
        let (a_batch, a_sides) = a_full.split_at(a_full.len() - 2);
        let (b_batch, b_sides) = b_full.split_at(b_full.len() - 2);
        let ([m, k], [other, n]) = ([a_sides[0], a_sides[1]], [b_sides[0], b_sides[1]]);
        if k != other {
            return Err(no_fit());
        }
        let batch = broadcast(a_batch, b_batch).ok_or_else(no_fit)?;
        let count: usize = batch.iter().product();
        let (a_count, b_count): (usize, usize) = (a_batch.iter().product(), b_batch.iter().product());
        let mut torch = batch.clone();
        if a_torch.len() > 1 {
            torch.push(m);
        }
        if b_torch.len() > 1 {
            torch.push(n);
        }
        if b_count == 1 {
            let rows = count * m;
            let expression = format!("matmul({}, {})", self.reshaped(a, &[rows, k]), self.reshaped(b, &[k, n]));
            return Ok(self.result(line, &expression, vec![rows, n], torch));
        }
        let spread = |translator: &Self, value: &Val, own: &[usize], own_count: usize, [rows, columns]: [usize; 2]| {
            if own_count == count {
                return translator.reshaped(value, &[count, rows, columns]);
            }
            let mut from = vec![1; batch.len() - own.len()];
            from.extend_from_slice(own);
            let full = |batch: &[usize]| [batch, &[rows, columns]].concat();
            let spread = format!("expand({}, {})", translator.reshaped(value, &full(&from)), list(&full(&batch)));
            format!("reshape({spread}, {})", list(&[count, rows, columns]))
        };
        let left = spread(self, a, a_batch, a_count, [m, k]);
        let right = spread(self, b, b_batch, b_count, [k, n]);
        Ok(self.result(line, &format!("matmul({left}, {right})"), vec![count, m, n], torch))
    }

    fn conv(&mut self, line: &'a Line, is_signal: bool) -> Translated<Entry> {
        let (input, torch) = self.value(line, "input")?;
        let Some((_, weight)) = self.owned(line, "weight")? else {
            return Err(
                "its weight is no parameter of the module: only a Conv layer's own weight has an exact kernel here"
                    .to_owned(),
            );
        };
        let bias = self.owned(line, "bias")?.map(|(_, bias)| bias);
        if bias.is_none() && self.entry(line, "bias")?.is_some() {
            return Err("its bias is no parameter of the module".to_owned());
        }
        let across = |sides: Vec<i64>, usual: i64| match sides.as_slice() {
            [] => [0, usual],
            [side, ..] => [0, *side],
        };
        let whole = |sides: [i64; 2]| {
            let side = |side: i64| usize::try_from(side).map_err(|_| "one of its numbers is negative".to_owned());
            Ok::<_, String>([side(sides[0])?, side(sides[1])?])
        };
        let (image, kernel, channels) = match (is_signal, torch.as_slice(), weight.shape.as_slice()) {
            (false, &[1, c, h, w], &[channels, _, down, over]) => ([c, h, w], [down, over], channels),
            (true, &[1, c, w], &[channels, _, over]) => ([c, 1, w], [1, over], channels),
            _ => return Err(format!("its input {torch:?} and its weight {:?} are no image and filters", weight.shape)),
        };
        let (stride, dilation) = if is_signal {
            let [_, stride] = whole(across(line.wholes("stride")?, 1))?;
            let [_, dilation] = whole(across(line.wholes("dilation")?, 1))?;
            ([1, stride], [1, dilation])
        } else {
            (line.sides("stride", [1; 2])?, line.sides("dilation", [1; 2])?)
        };
        let padding = match line.argument("padding").as_str() {
            Some("valid") => [0, 0],
            Some("same") => {
                let spread = [0, 1].map(|side| dilation[side] * (kernel[side] - 1));
                if spread.iter().any(|spread| spread % 2 == 1) {
                    return Err(
                        "its padding \"same\" is not the same on both sides of an even filter: pad by a number"
                            .to_owned(),
                    );
                }
                spread.map(|spread| spread / 2)
            }
            Some(_) => return Err("its padding is none".to_owned()),
            None if is_signal => whole(across(line.wholes("padding")?, 0))?,
            None => line.sides("padding", [0; 2])?,
        };
        let groups = line.whole("groups", 1)?;
        let out = line.own_shape()?;
        let out_image = match (is_signal, out.as_slice()) {
            (false, &[1, c, h, w]) => vec![c, h, w],
            (true, &[1, c, w]) => vec![c, 1, w],
            _ => return Err(format!("it gives {out:?}, which is no image")),
        };
        let mut named = vec![(&weight, "weight")];
        named.extend(bias.as_ref().map(|bias| (bias, "bias")));
        let mut options = vec![format!("kernel: {}", pair(kernel)), format!("padding: {}", pair(padding))];
        if stride != [1, 1] {
            options.push(format!("stride: {}", pair(stride)));
        }
        if dilation != [1, 1] {
            options.push(format!("dilation: {}", pair(dilation)));
        }
        if groups != 1 {
            options.push(format!("groups: {groups}"));
        }
        if bias.is_none() {
            options.push("bias: false".to_owned());
        }
        let expression = format!(
            "conv({}, {}, {channels}, #{{{}}})",
            Self::layer_name(&named),
            self.reshaped(&input, &image),
            options.join(", ")
        );
        Ok(self.result(line, &expression, out_image, out))
    }

    /// Returns the gain and the bias of a normalisation, and whether each is given.
    fn gains(&self, line: &'a Line) -> Translated<(Option<GraphTensor>, Option<GraphTensor>)> {
        let tensor = |argument: &str| -> Translated<Option<GraphTensor>> {
            match (self.owned(line, argument)?, self.entry(line, argument)?) {
                (Some((_, tensor)), _) => Ok(Some(tensor)),
                (None, None) => Ok(None),
                (None, Some(_)) => Err(format!("its {argument} is no tensor of the module")),
            }
        };
        Ok((tensor("weight")?, tensor("bias")?))
    }

    fn batch_norm(&mut self, line: &'a Line) -> Translated<Entry> {
        if line.flag("training", false)? {
            return Err("it normalises with a batch, and the kernel is that of the evaluated network: export in evaluation, and with track_running_stats".to_owned());
        }
        let (input, torch) = self.value(line, "input")?;
        let statistic = |argument: &str| {
            self.buffer(line, argument)?.ok_or_else(|| format!("its {argument} is no buffer of the module"))
        };
        let (mean, variance) = (statistic("running_mean")?, statistic("running_var")?);
        let (weight, bias) = self.gains(line)?;
        if weight.is_some() != bias.is_some() {
            return Err("it has a gain without a bias or a bias without a gain".to_owned());
        }
        let [batch, channels, places @ ..] = torch.as_slice() else {
            return Err(format!("its input {torch:?} has no channels"));
        };
        let places: usize = places.iter().product();
        let shape = match (*batch, places, torch.as_slice()) {
            (1, _, &[_, c, h, w]) => vec![c, h, w],
            (1, 1, _) => vec![*channels],
            (1, places, _) => vec![*channels, 1, places],
            (batch, 1, _) => vec![batch, *channels],
            _ => return Err(format!("its input {torch:?} has several rows of several places")),
        };
        let mut named = Vec::new();
        named.extend(weight.as_ref().map(|tensor| (tensor, "weight")));
        named.extend(bias.as_ref().map(|tensor| (tensor, "bias")));
        named.extend([(&mean, "running_mean"), (&variance, "running_var")]);
        let options = norm_options(line.real("eps", 1e-5)?, weight.is_some());
        let expression =
            format!("batch_norm({}, {}{options})", Self::layer_name(&named), self.reshaped(&input, &shape));
        Ok(self.result(line, &expression, shape, torch))
    }

    fn layer_norm(&mut self, line: &'a Line) -> Translated<Entry> {
        let epsilon = line.real("eps", 1e-5)?;
        self.normalised(line, "layer_norm", epsilon)
    }

    fn rms_norm(&mut self, line: &'a Line) -> Translated<Entry> {
        // PyTorch's default is the smallest step from 1 of its 32-bit floats.
        let is_wide = line.dtype.as_str().is_some_and(|dtype| dtype.ends_with("float64"));
        let epsilon = line.real("eps", if is_wide { f64::EPSILON } else { f64::from(f32::EPSILON) })?;
        self.normalised(line, "rms_norm", epsilon)
    }

    /// Writes a normalisation over the last axes.
    fn normalised(&mut self, line: &'a Line, function: &str, epsilon: f64) -> Translated<Entry> {
        let (input, torch) = self.value(line, "input")?;
        let over = line.wholes("normalized_shape")?;
        let over: Vec<usize> = over.iter().filter_map(|side| usize::try_from(*side).ok()).collect();
        if over.is_empty() || !torch.ends_with(&over) {
            return Err(format!("its input {torch:?} does not end in {over:?}"));
        }
        let features: usize = over.iter().product();
        let places = torch.iter().product::<usize>() / features.max(1);
        let shape = if places == 1 { vec![features] } else { vec![places, features] };
        let into = self.reshaped(&input, &shape);
        let is_layer = function == "layer_norm";
        let (weight, bias) = self.gains(line)?;
        let fits = weight.as_ref().is_none_or(|weight| weight.shape.len() == 1);
        if fits && let (Some(weight), true) = (&weight, bias.is_some() == is_layer) {
            let mut named = vec![(weight, "weight")];
            named.extend(bias.as_ref().map(|bias| (bias, "bias")));
            let options = norm_options(epsilon, true);
            let expression = format!("{function}({}, {into}{options})", Self::layer_name(&named));
            return Ok(self.result(line, &expression, shape, torch));
        }
        // Without a gain, or with one for each number of several axes: the gain and the bias are values.
        let expression = format!("{function}(\"\", {into}{})", norm_options(epsilon, false));
        let mut entry = self.result(line, &expression, shape.clone(), torch.clone());
        for (argument, sign) in [("weight", "*"), ("bias", "+")] {
            if self.entry(line, argument)?.is_none() {
                continue;
            }
            let (tensor, _) = self.value(line, argument)?;
            let Node::Value(value) = &entry.node else { break };
            let spread = if places == 1 {
                self.reshaped(&tensor, &shape)
            } else {
                format!("expand({}, {})", self.reshaped(&tensor, &[1, features]), list(&shape))
            };
            let expression = format!("{} {sign} {spread}", value.text);
            entry = self.result(line, &expression, shape.clone(), torch.clone());
        }
        Ok(entry)
    }

    fn group_norm(&mut self, line: &'a Line) -> Translated<Entry> {
        let groups = line.whole("num_groups", 1)?;
        self.grouped(line, usize::try_from(groups).unwrap_or(0))
    }

    fn instance_norm(&mut self, line: &'a Line) -> Translated<Entry> {
        if !line.flag("use_input_stats", true)? {
            return Err("it normalises with running statistics".to_owned());
        }
        let torch = self.operand(line, "input")?.shape;
        self.grouped(line, torch.get(1).copied().unwrap_or(0))
    }

    fn grouped(&mut self, line: &'a Line, groups: usize) -> Translated<Entry> {
        let (input, torch) = self.value(line, "input")?;
        let shape = match *torch.as_slice() {
            [1, c, h, w] => vec![c, h, w],
            [1, c, w] => vec![c, 1, w],
            [1, c] => vec![c, 1, 1],
            _ => return Err(format!("its input {torch:?} is no image")),
        };
        let (weight, bias) = self.gains(line)?;
        let mut named = Vec::new();
        if weight.is_some() != bias.is_some() {
            return Err("it has a gain without a bias or a bias without a gain".to_owned());
        }
        named.extend(weight.as_ref().map(|tensor| (tensor, "weight")));
        named.extend(bias.as_ref().map(|tensor| (tensor, "bias")));
        let name = if named.is_empty() { "\"\"".to_owned() } else { Self::layer_name(&named) };
        let options = norm_options(line.real("eps", 1e-5)?, weight.is_some());
        let expression = format!("group_norm({name}, {}, {groups}{options})", self.reshaped(&input, &shape));
        Ok(self.result(line, &expression, shape, torch))
    }

    fn embedding(&mut self, line: &'a Line) -> Translated<Entry> {
        let weight = self.operand(line, "weight")?;
        let &[tokens, width] = weight.shape.as_slice() else {
            return Err(format!("its weight has shape {:?} and not two axes", weight.shape));
        };
        if line.flag("scale_grad_by_freq", false)? {
            return Err(
                "PyTorch scales its gradient by counts (scale_grad_by_freq), and this kernel would not".to_owned()
            );
        }
        if line.whole("padding_idx", -1)? >= 0 {
            return Err(
                "PyTorch leaves the row of its padding_idx out of the gradient, and this kernel would not: make it without padding_idx"
                    .to_owned(),
            );
        }
        let indices = self.operand(line, "indices")?;
        let torch = [indices.shape.as_slice(), &[width]].concat();
        let places: usize = indices.shape.iter().product();
        match &indices.node {
            Node::Value(value) => {
                let Some((_, weight)) = self.owned(line, "weight")? else {
                    return Err("its weight is also read as a value, or is no parameter of the module".to_owned());
                };
                let name = Self::layer_name(&[(&weight, "weight")]);
                let value = self.reshaped(value, &[places]);
                let expression = format!("embedding({name}, {value}, {tokens}, {width}, #{{normal: true}})");
                Ok(self.result(line, &expression, vec![places, width], torch))
            }
            Node::Whole(numbers) => {
                let (first, last) = (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(0));
                let (Ok(first), Ok(last)) = (usize::try_from(first), usize::try_from(last)) else {
                    return Err("it reads negative tokens".to_owned());
                };
                let consecutive = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
                if !consecutive || last >= tokens {
                    return Err("it reads constant tokens that are no range of its rows".to_owned());
                }
                let (weight, _) = self.value(line, "weight")?;
                let text = self.reshaped(&weight, &[tokens, width]);
                let expression = format!("slice({text}, 0, {first}, {})", last + 1);
                Ok(self.result(line, &expression, vec![places, width], torch))
            }
            _ => Err("it reads tokens that are neither the input's nor a range".to_owned()),
        }
    }

    fn attention(&mut self, line: &'a Line) -> Translated<Entry> {
        if line.real("dropout_p", 0.0)? != 0.0 {
            return Err("it leaves numbers out by chance: export the module in evaluation".to_owned());
        }
        if line.flag("enable_gqa", false)? {
            return Err("its heads share keys and values (enable_gqa): repeat them".to_owned());
        }
        let [(q, q_torch), (k, k_torch), (v, v_torch)] =
            [self.value(line, "query")?, self.value(line, "key")?, self.value(line, "value")?];
        let parts = |torch: &[usize]| match torch {
            [leading @ .., tokens, features] => Some((leading.to_vec(), *tokens, *features)),
            _ => None,
        };
        let wrong = || format!("queries {q_torch:?}, keys {k_torch:?} and values {v_torch:?} do not fit");
        let (Some((leading, queries, width)), Some((k_leading, tokens, k_width)), Some((v_leading, v_tokens, v_width))) =
            (parts(&q_torch), parts(&k_torch), parts(&v_torch))
        else {
            return Err(wrong());
        };
        if leading != k_leading || leading != v_leading || width != k_width || tokens != v_tokens {
            return Err(wrong());
        }
        let heads: usize = leading.iter().product();
        let usual = 1.0 / (width as f64).sqrt();
        let scale = line.real("scale", usual)?;
        let torch = [leading.as_slice(), &[queries, v_width]].concat();
        let masked = line.flag("is_causal", false)?;
        if self.entry(line, "attn_mask")?.is_some() {
            return self.masked_attention(line, [(&q, &q_torch), (&k, &k_torch), (&v, &v_torch)], scale, masked);
        }
        let mut side = |value: &Val, like: &str, tokens: usize, width: usize| {
            if heads == 1 {
                return self.reshaped(value, &[tokens, width]);
            }
            let apart = self.reshaped(value, &[heads, tokens, width]);
            let together = format!("reshape(transpose({apart}, [1, 0, 2]), {})", list(&[tokens, heads * width]));
            self.named(&format!("{}_{like}", line.name), &together, vec![tokens, heads * width]).text
        };
        let mut query = side(&q, "q", queries, width);
        let (key, value) = (side(&k, "k", tokens, width), side(&v, "v", tokens, v_width));
        if scale != usual {
            query = format!("scale({query}, {})", real(scale / usual));
        }
        let options = if masked { ", #{masked: true}" } else { "" };
        let expression = format!("attention({query}, {key}, {value}, {heads}{options})");
        if heads == 1 {
            return Ok(self.result(line, &expression, vec![queries, v_width], torch));
        }
        let joined = self.named(&format!("{}_heads", line.name), &expression, vec![queries, heads * v_width]);
        let apart = format!("transpose(reshape({}, {}), [1, 0, 2])", joined.text, list(&[queries, heads, v_width]));
        Ok(self.result(line, &apart, vec![heads, queries, v_width], torch))
    }

    /// Writes attention with numbers added to its scores.
    fn masked_attention(
        &mut self,
        line: &'a Line,
        [(q, q_torch), (k, k_torch), (v, v_torch)]: [(&Val, &Vec<usize>); 3],
        scale: f64,
        masked: bool,
    ) -> Translated<Entry> {
        if masked {
            return Err("it has a mask and is causal: give one mask".to_owned());
        }
        let (mask, mask_torch) = self.value(line, "attn_mask")?;
        let [leading @ .., tokens, width] = k_torch.as_slice() else {
            return Err("its keys have no tokens".to_owned());
        };
        let heads: usize = leading.iter().product();
        let turned = format!("transpose({}, [0, 2, 1])", self.reshaped(k, &[heads, *tokens, *width]));
        let turned = self.named(&format!("{}_k", line.name), &turned, vec![heads, *width, *tokens]);
        let turned_torch = [leading, &[*width, *tokens]].concat();
        let scores = self.product(line, (q, q_torch), (&turned, &turned_torch))?;
        let Entry { node: Node::Value(scores), shape: scores_torch, .. } = scores else {
            return Err("its scores are no value".to_owned());
        };
        let mut padded = vec![1; scores_torch.len().saturating_sub(mask_torch.len())];
        padded.extend(&mask_torch);
        if broadcast(&padded, &scores_torch).as_ref() != Some(&scores_torch) {
            return Err(format!("its mask {mask_torch:?} does not fit scores {scores_torch:?}"));
        }
        let added = if padded == scores_torch {
            self.reshaped(&mask, &scores.shape)
        } else {
            let spread = format!("expand({}, {})", self.reshaped(&mask, &padded), list(&scores_torch));
            format!("reshape({spread}, {})", list(&scores.shape))
        };
        let weights = format!("softmax({} * {} + {added})", scores.text, real(scale));
        let weights = self.named(&format!("{}_weights", line.name), &weights, scores.shape.clone());
        self.product(line, (&weights, &scores_torch), (v, v_torch))
    }
}

/// Returns the shape to which two shapes are broadcast, as numpy does.
pub fn broadcast(one: &[usize], other: &[usize]) -> Option<Vec<usize>> {
    let axes = one.len().max(other.len());
    let side = |shape: &[usize], at: usize| (at + shape.len()).checked_sub(axes).map_or(1, |at| shape[at]);
    (0..axes)
        .map(|at| match (side(one, at), side(other, at)) {
            (1, other) => Some(other),
            (one, 1) => Some(one),
            (one, other) => (one == other).then_some(one),
        })
        .collect()
}

/// Formats the two sides of a window.
fn pair([down, across]: [usize; 2]) -> String {
    if down == across { down.to_string() } else { list(&[down, across]) }
}

fn norm_options(epsilon: f64, affine: bool) -> String {
    let mut options = Vec::new();
    if epsilon != 1e-5 {
        options.push(format!("epsilon: {}", real(epsilon)));
    }
    if !affine {
        options.push("affine: false".to_owned());
    }
    if options.is_empty() { String::new() } else { format!(", #{{{}}}", options.join(", ")) }
}

/// Returns the results of an operation that also gives statistics, which nothing but training reads.
fn first_of_several(entry: Entry) -> Entry {
    let shape = entry.shape.clone();
    let nothing = || Entry::new(Node::Nothing, stripped(&[0]));
    Entry::new(Node::List(vec![entry, nothing(), nothing()]), shape)
}
