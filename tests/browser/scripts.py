"""JavaScript that the page runs for the tests."""

from __future__ import annotations

READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.sessionContext?.isReady && panel.sessionContext.session?.kernel?.status === "idle"
        && panel.content?.model?.cells?.length > 0;
}"""

# Errors and warnings that the kernel prints outside of any cell: widget callbacks and tasks end there.
LISTEN = """() => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const said = window.optvizSaid = [];
    kernel.iopubMessage.connect((_, message) => {
        const {content, header} = message;
        if (header.msg_type === "error") said.push(`${content.ename}: ${content.evalue}`);
        if (header.msg_type === "stream" && content.name === "stderr") said.push(content.text);
    });
}"""

RUN_ALL = """async (limit) => {
    const late = new Promise((_, fail) => setTimeout(() => fail(new Error("run all: time is up")), limit));
    const done = window.jupyterapp.commands.execute("notebook:run-all-cells");
    await Promise.race([done, late]);
}"""

ASK_KERNEL = """async ([code, expression]) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const reply = await kernel.requestExecute({
        code, silent: true, store_history: false, stop_on_error: false,
        user_expressions: {value: expression},
    }).done;
    return reply.content;
}"""

PIXELS = """async (img) => {
    await img.decode();
    const canvas = document.createElement("canvas");
    canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
    canvas.getContext("2d").drawImage(img, 0, 0);
    return canvas.toDataURL("image/png");
}"""

# Notes the time, the source and a fingerprint of every picture that is really shown (loaded) in an image.
WATCH = """(img) => {
    const seen = img.optvizSeen = [];
    const canvas = document.createElement("canvas");
    img.optvizNote = () => {
        const when = performance.now();
        canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
        const context = canvas.getContext("2d", {willReadFrequently: true});
        context.drawImage(img, 0, 0);
        const data = new Uint32Array(
            context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        let hash = 17;
        for (let i = 0; i < data.length; i++) hash = (Math.imul(hash, 31) + data[i]) | 0;
        seen.push([when, hash, img.naturalWidth]);
    };
    img.addEventListener("load", img.optvizNote);
}"""
UNWATCH = """(img) => { img.removeEventListener("load", img.optvizNote); return img.optvizSeen; }"""

NEW_PICTURE = """async (img, [old, limit]) => {
    const end = performance.now() + limit;
    while (img.src === old || !img.complete) {
        if (performance.now() > end) throw new Error("no new picture");
        await new Promise((go) => setTimeout(go, 5));
    }
}"""

OVERFLOWING = """(root) => {
    const area = (root.closest(".jp-OutputArea-output") ?? document.body).getBoundingClientRect();
    const right = Math.min(area.right, window.innerWidth) + 1, found = [];
    for (const element of root.querySelectorAll("*")) {
        const box = element.getBoundingClientRect();
        if (!box.width || !box.height || element.closest(".noUi-target")) continue;
        if (box.right > right || box.left < area.left - 1)
            found.push(`${element.tagName}.${element.className} ${box.left | 0}..${box.right | 0}`
                + ` outside ${area.left | 0}..${right | 0}`);
    }
    return found;
}"""

CUT_OFF = """(root) => {
    const found = [];
    const texts = ".widget-label, .widget-html-content, .jupyter-button, .widget-readout";
    for (const element of root.querySelectorAll(texts))
        if (element.offsetParent && element.scrollWidth > element.clientWidth + 1)
            found.push(`${element.className}: ${element.textContent.slice(0, 60)}`);
    return found;
}"""

RAIL = """(base) => {
    const handle = base.querySelector(".noUi-handle");
    handle.scrollIntoViewIfNeeded();
    const rail = base.getBoundingClientRect(), box = handle.getBoundingClientRect();
    const handleX = box.left + box.width / 2, y = box.top + box.height / 2;
    return {left: rail.left, width: rail.width, handle: handleX, y};
}"""
