// Classifies pictures with the exported model: pixels in, probabilities out.

import * as ort from "./ort.wasm.min.mjs";

const N_SHOWN = 5;

// Several threads need HTTP headers that simple servers do not send.
ort.env.wasm.numThreads = 1;

const input = document.querySelector("input");
const canvas = document.querySelector("canvas");
const table = document.querySelector("table");
const status = document.querySelector("#status");

const [session, model] = await Promise.all([
  ort.InferenceSession.create("model.onnx"),
  fetch("model.json").then((response) => response.json()),
]);
const [, height, width] = session.inputMetadata[0].shape;
[canvas.height, canvas.width] = [height, width];

/** Return x, y, width and height of a picture on the canvas, as `ImageFiles(resize=...)` does. */
function placeOf(picture) {
  const scales = [width / picture.width, height / picture.height];
  if (model.resize !== "crop" && model.resize !== "pad") return [0, 0, width, height];
  const scale = model.resize === "crop" ? Math.max(...scales) : Math.min(...scales);
  const size = [picture.width * scale, picture.height * scale];
  return [(width - size[0]) / 2, (height - size[1]) / 2, ...size];
}

/** Draw a picture at the size of the training images; return its pixels, in their range. */
function pixelsOf(picture) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "rgb(128, 128, 128)"; // beside the picture
  context.fillRect(0, 0, width, height);
  context.fillStyle = "white"; // behind its transparent parts
  context.fillRect(...placeOf(picture));
  context.drawImage(picture, ...placeOf(picture));
  const { data } = context.getImageData(0, 0, width, height);
  const [low, high] = model.pixel_range;
  const pixels = new Float32Array(height * width * 3);
  for (let pixel = 0; pixel < height * width; pixel++)
    for (let channel = 0; channel < 3; channel++)
      pixels[3 * pixel + channel] = low + (data[4 * pixel + channel] / 255) * (high - low);
  return pixels;
}

/** Return the probability of each class. */
async function classify(picture) {
  const images = new ort.Tensor("float32", pixelsOf(picture), [1, height, width, 3]);
  const outputs = await session.run({ [session.inputNames[0]]: images });
  return outputs[session.outputNames[0]].data;
}

function show(probabilities) {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const rows = order.slice(0, N_SHOWN).map((number) => {
    const row = document.createElement("tr");
    const [name, bar, share] = ["th", "td", "td"].map((tag) => document.createElement(tag));
    name.textContent = model.class_names[number];
    const meter = document.createElement("meter");
    meter.value = probabilities[number];
    bar.append(meter);
    share.textContent = `${(100 * probabilities[number]).toFixed(1)} %`;
    row.append(name, bar, share);
    return row;
  });
  table.tBodies[0].replaceChildren(...rows);
}

async function open(file) {
  if (!file) return;
  try {
    const picture = await createImageBitmap(file); // upright, as its EXIF data say
    const start = performance.now();
    show(await classify(picture));
    status.textContent = `Classified in ${Math.round(performance.now() - start)} ms.`;
    canvas.hidden = table.hidden = false;
  } catch (error) {
    canvas.hidden = table.hidden = true;
    status.textContent = `${file.name ?? "This"} cannot be shown as a picture (${error.message}).`;
  }
}

input.addEventListener("click", () => (input.value = "")); // so that a file can be chosen again
input.addEventListener("change", () => open(input.files[0]));
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});
input.disabled = false;
status.textContent = `Ready: ${model.class_names.length} classes.`;
