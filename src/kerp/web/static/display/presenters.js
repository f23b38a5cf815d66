// One presenter for each modality. `show` resolves when the thing is really there; `level` follows the intensity live.
// A 360-degree or headset presenter is one more entry here.

const made = (tag, props = {}) => Object.assign(document.createElement(tag), props);
const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
const size = (stage) => (intensity) => stage.style.setProperty("--level", String(intensity));

async function words(stage, address, className, wrap) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error("not there");
  const node = made("div", { className });
  node.append(...wrap(await answer.text()));
  stage.replaceChildren(node);
  await painted();
}

export const PRESENTERS = {
  image: (stage) => ({
    level: size(stage),
    async show(address) {
      const picture = made("img", { src: address, alt: "" });
      await picture.decode();
      stage.replaceChildren(picture);
      await painted();
    },
  }),
  text: (stage) => ({ level: size(stage), show: (address) => words(stage, address, "words", (text) => [text]) }),
  object: (stage) => ({ level() {}, show: (address) => words(stage, address, "card", (text) => [text, made("small", { textContent: "The therapist has the object." })]) }),
  script: (stage) => sounding(stage, "audio", () => {}),
  video: (stage) => sounding(stage, "video", size(stage)),
};

// Onset is the moment it plays, not the moment it was asked to.
function sounding(stage, tag, resize) {
  const node = made(tag, { loop: true, playsInline: true, controls: false, preload: "auto" });
  return {
    level(intensity) { node.volume = Math.min(1, Math.max(0, intensity)); resize(intensity); },
    async show(address) {
      node.src = address;
      stage.replaceChildren(node);
      const playing = new Promise((resolve, reject) => { node.onplaying = resolve; node.onerror = () => reject(new Error("it does not play")); });
      await node.play();
      await playing;
    },
    end() { node.pause(); node.removeAttribute("src"); node.load(); },
  };
}
