// Asks the kernel by counting; ends with its view: when the notebook is closed, or its cell runs again.
function render({ model, el }) {
  el.style.display = "none";
  const ask = () => {
    if (model.get("paused")) return;
    model.set("value", model.get("value") + 1);
    model.save_changes();
  };
  ask(); // a page that was loaded anew shows what was saved until then
  const timer = setInterval(ask, model.get("every") * 1000);
  return () => clearInterval(timer);
}
export default { render };
