// @ts-check
/** placeholder written next */
export async function report() {
  return '';
}
